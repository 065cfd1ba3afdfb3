/** Messages to devices as clients get them. */
import type { ToDeviceRow } from '#/ports/store/to-device.ts'

/** https://spec.matrix.org/v1.19/client-server-api/#extensions-to-sync */
export function messageJson({ sender, type, content }: Omit<ToDeviceRow, 'position'>): string {
  return `{"sender":${JSON.stringify(sender)},"type":${JSON.stringify(type)},"content":${content}}`
}
