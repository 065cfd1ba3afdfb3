import assert from 'node:assert/strict'
import { until } from '../conversation.ts'
import { ENCRYPTED, PASSWORD, type Person, roomOf, type Stage } from './person.ts'

const BACKUP = '/_matrix/client/v3/room_keys/version'

/** Encrypted rooms, signing across, secret storage, backup, and devices that come later or go. */
export async function encryption(stage: Stage): Promise<void> {
  const ella = await stage.enterEncrypted('ella')
  const enno = await stage.enterEncrypted('enno')
  const roomId = await roomOf(ella, [enno], { initial_state: [ENCRYPTED] })
  await setUp(ella)
  const first = await ella.say(roomId, 'for your eyes')
  await enno.reads(roomId, first, 'for your eyes')
  await ella.reads(roomId, await enno.say(roomId, 'and for yours'), 'and for yours')
  const { type } = await ella.client.fetchRoomEvent(roomId, first)
  assert.equal(type, 'm.room.encrypted', 'the server sees no more than that')

  const later = await stage.login(ella)
  later.recoveryKey = ella.recoveryKey
  await (await later.encrypted()).start()
  await restored(stage, { person: later, owner: ella }, roomId, first)
  await trusted(enno, ella.userId, [ella, later])
  await later.reads(roomId, await enno.say(roomId, 'to all of you'), 'to all of you')
  await enno.reads(roomId, await later.say(roomId, 'from a new device'), 'from a new device')
  await removed(later, ella, enno)
  await later.reads(roomId, await enno.say(roomId, 'still here'), 'still here')
}

/** Keys to sign with, a secret storage that holds them, and a backup of room keys. */
async function setUp(person: Person): Promise<void> {
  const { crypto } = person
  const made = await crypto.createRecoveryKeyFromPassphrase()
  person.recoveryKey = made.privateKey
  await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: async (send) => void (await send(null)) })
  await crypto.bootstrapSecretStorage({
    createSecretStorageKey: async () => made,
    setupNewSecretStorage: true,
    setupNewKeyBackup: true,
  })
  assert.equal(await crypto.isCrossSigningReady(), true)
  assert.equal(await crypto.getActiveSessionBackupVersion(), '1')
}

/** A later device signs itself with the keys of the secret storage and reads the past from the backup. */
async function restored(
  stage: Stage,
  { person, owner }: { person: Person; owner: Person },
  roomId: string,
  first: string,
): Promise<void> {
  const { crypto } = person
  const token = owner.client.getAccessToken() ?? ''
  await until(
    async () => ((await stage.server.call('GET', BACKUP, undefined, token))['count'] ?? 0) === 2,
    () => 'both room keys are in the backup',
  )
  await crypto.bootstrapCrossSigning({})
  assert.equal(await crypto.isCrossSigningReady(), true)
  await crypto.loadSessionBackupPrivateKeyFromSecretStorage()
  await crypto.checkKeyBackupAndEnable()
  const { imported } = await crypto.restoreKeyBackup()
  assert.equal(imported, 2, 'one key of each of the two senders')
  await person.reads(roomId, first, 'for your eyes')
}

/** Others see that the devices are signed by their owner. */
async function trusted(person: Person, userId: string, devices: readonly Person[]): Promise<void> {
  for (const device of devices) {
    const id = device.client.getDeviceId() ?? ''
    const status = async () => person.crypto.getDeviceVerificationStatus(userId, id)
    await until(
      async () => (await status())?.signedByOwner === true,
      () => `${person.userId} sees that ${id} is signed`,
    )
  }
}

/** A device is thrown out, with the password; the others hear that it is gone. */
async function removed(person: Person, gone: Person, other: Person): Promise<void> {
  const id = gone.client.getDeviceId() ?? ''
  const identifier = { type: 'm.id.user', user: person.userId }
  const refusal = await person.client.deleteDevice(id).then(
    () => undefined,
    (error: { data?: { session?: string } }) => error.data?.session,
  )
  assert.ok(refusal)
  await person.client.deleteDevice(id, {
    ...{ type: 'm.login.password', identifier, password: PASSWORD, session: refusal },
  })
  for (const watcher of [person, other]) {
    await until(
      async () => !(await watcher.crypto.getUserDeviceInfo([person.userId])).get(person.userId)?.has(id),
      () => `${watcher.userId} hears that ${id} is gone`,
    )
  }
}
