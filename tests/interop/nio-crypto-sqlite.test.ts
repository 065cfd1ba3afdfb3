import { awayOverRestart } from './nio-crypto/absence.ts'
import { historyByExport, historyByRequest } from './nio-crypto/history.ts'
import { bothWays, verification } from './nio-crypto/meeting.ts'
import { removal } from './nio-crypto/removal.ts'
import { nioTalk } from './nio-crypto/talk.ts'

const STAGES = [bothWays, verification, historyByRequest, historyByExport, awayOverRestart, removal]
/* Deleting a device asks for the password first, and what syncs then has no session any more. */
const REFUSED = ['401 GET /_matrix/client/v3/sync', '401 POST /_matrix/client/v3/delete_devices']

nioTalk('matrix-nio with encryption, sqlite', 'sqlite', STAGES, REFUSED)
