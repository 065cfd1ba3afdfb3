/**
 * The string and number formats that the specification's schemas name (string-formats.yaml), as strict as a
 * response of ours should be.
 */
export const FORMATS = {
  'mx-user-id': /^@[^:]*:.+$/,
  'mx-event-id': /^\$.+$/,
  'mx-room-id': /^!.+$/,
  'mx-room-alias': /^#[^:]*:.+$/,
  'mx-server-name': /^[0-9A-Za-z.:[\]-]+$/,
  'mx-mxc-uri': /^mxc:\/\/[^/]+\/[^/]+$/,
  'mx-unpadded-base64': /^[0-9A-Za-z+/]*$/,
  'mx-urlsafe-unpadded-base64': /^[0-9A-Za-z_-]*$/,
  uri: (text: string) => URL.canParse(text),
  email: /^[^@\s]+@[^@\s]+$/,
  int64: { type: 'number', validate: Number.isSafeInteger },
  float: { type: 'number', validate: Number.isFinite },
  byte: true,
  'org.matrix.custom.html': true,
  event_id_only: true,
} as const
