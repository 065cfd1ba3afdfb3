/** Run by bin/myelin once after an installation. */
import './program.ts'
import { warm } from '#/app/warm.ts'

await warm()
