'use strict'

// Loads like the real package and fails at the first use, so that no test can believe it encrypted something.
class Absent {
  constructor() {
    throw new Error(
      'matrix-sdk-crypto-nodejs is a stub here: matrix-bot-sdk has no encryption in these tests',
    )
  }
  static make() {
    return new Absent()
  }
  static initialize = Absent.make
  static withSledBackend = Absent.make
  static encrypt = Absent.make
  static decrypt = Absent.make
}

const NAMES =
  'Attachment DeviceId DeviceLists EncryptedAttachment EncryptionSettings OlmMachine RoomId UserId'
for (const name of NAMES.split(' ')) exports[name] = Absent
