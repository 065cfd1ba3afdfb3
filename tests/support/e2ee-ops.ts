/** Short ways to operations of messages to devices and of key backup. */
import type { BackupKeyRow, BackupOp } from '#/ports/store/backups.ts'
import type { ToDeviceMessage, ToDeviceOp } from '#/ports/store/to-device.ts'

type Put = Extract<ToDeviceOp, { op: 'to_device.put' }>

/** A message to one device, or to all of a user with `*`. */
export function toOne(user: string, device: string, content = '{"a":"é"}'): ToDeviceMessage {
  return device === '*'
    ? { content, devices: [], users: [user] }
    : { content, devices: [{ user, device }], users: [] }
}

export function toDevice(messages: readonly ToDeviceMessage[], more: Partial<Put> = {}): Put {
  return {
    op: 'to_device.put',
    sender: '@sender:contract.example',
    type: 'm.test',
    ts: 1000,
    messages,
    bounds: { messages: 1000, chars: 1_000_000 },
    ...more,
  }
}

export function backupKey(roomId: string, sessionId: string, more: Partial<BackupKeyRow> = {}): BackupKeyRow {
  return { roomId, sessionId, firstIndex: 1, forwarded: 1, verified: false, data: '{"c":"é"}', ...more }
}

export function newBackup(user: string): Extract<BackupOp, { op: 'backup.create' }> {
  return { op: 'backup.create', user, algorithm: 'a', authData: '{"k":1}', most: 3 }
}

export function putKeys(
  user: string,
  version: number,
  keys: readonly BackupKeyRow[],
): Extract<BackupOp, { op: 'backup.put' }> {
  return { op: 'backup.put', user, version, keys, most: 100 }
}
