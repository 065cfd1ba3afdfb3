/** A row of facts for each room, for lists of rooms. docs/decisions/0014-sliding-sync.md says why. */
export const roomFacts = {
  number: 9,
  /** An older release would not keep the rows up to date. */
  compat: 9,
  statements: [
    `CREATE TABLE room_facts (
      room {int8} NOT NULL PRIMARY KEY,
      bump {int8} NOT NULL,
      encrypted {int8} NOT NULL,
      room_type {text},
      name {text}
    ) {strict} {packed}`,
    /* Rooms of before. Everything later is written with the events themselves. */
    `INSERT INTO room_facts (room, bump, encrypted, room_type, name)
     SELECT r.nid,
       COALESCE((SELECT MAX(e.arrival) FROM events e WHERE e.room = r.nid AND e.arrival IS NOT NULL AND e.type IN
         ('m.room.create', 'm.room.message', 'm.room.encrypted', 'm.sticker', 'm.call.invite', 'm.poll.start',
          'm.beacon_info')), 0),
       CASE WHEN EXISTS (SELECT 1 FROM room_state s JOIN state_keys k ON k.nid = s.state_key
         WHERE s.room = r.nid AND s.branch = 0 AND s.event <> 0
           AND k.type = 'm.room.encryption' AND k.state_key = '') THEN 1 ELSE 0 END,
       (SELECT {content_type_of_e} FROM room_state s JOIN state_keys k ON k.nid = s.state_key
         JOIN events e ON e.nid = s.event
         WHERE s.room = r.nid AND s.branch = 0 AND k.type = 'm.room.create' AND k.state_key = ''),
       (SELECT SUBSTR({content_name_of_e}, 1, 255) FROM room_state s JOIN state_keys k ON k.nid = s.state_key
         JOIN events e ON e.nid = s.event
         WHERE s.room = r.nid AND s.branch = 0 AND k.type = 'm.room.name' AND k.state_key = '')
     FROM rooms r`,
  ],
} as const
