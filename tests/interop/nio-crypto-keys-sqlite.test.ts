import { killedInTheMiddle } from './nio-crypto/kills.ts'
import { bothWays, verification } from './nio-crypto/meeting.ts'
import { nioTalk } from './nio-crypto/talk.ts'
import { keysUsedUp } from './nio-crypto/used-up.ts'

const STAGES = [bothWays, verification, keysUsedUp, killedInTheMiddle]

nioTalk('matrix-nio with keys used up and a server killed, sqlite', 'sqlite', STAGES)
