import { awayOverRestart } from './nio-crypto/absence.ts'
import { historyByExport, historyByRequest } from './nio-crypto/history.ts'
import { bothWays, verification } from './nio-crypto/meeting.ts'
import { removal } from './nio-crypto/removal.ts'
import { nioTalk } from './nio-crypto/talk.ts'

nioTalk('matrix-nio talks secretly, sqlite', 'sqlite', [
  bothWays,
  verification,
  historyByRequest,
  historyByExport,
  awayOverRestart,
  removal,
])
