/** Which one-time keys were claimed, so that an upload that is repeated does not bring them back. */
export const claimedKeys = {
  number: 30,
  /** An older release would give a key away a second time, and leave the rows of deleted devices behind. */
  compat: 30,
  statements: [
    /* `nid` is that of the key: its place in the order of uploading. */
    `CREATE TABLE claimed_keys (
      device {int8} NOT NULL,
      digest {text} NOT NULL,
      nid {int8} NOT NULL,
      PRIMARY KEY (device, digest)
    ) {clustered}`,
  ],
} as const
