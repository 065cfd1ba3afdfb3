import { tellAll } from './devices.ts'
import type { Stage } from './talk.ts'

/** What is said while a device is away, with the server stopped and started meanwhile, is readable afterwards. */
export async function awayOverRestart(stage: Stage): Promise<void> {
  const { server, devices, room } = stage
  const away = devices[3]!
  const here = devices.filter((one) => one !== away)
  await away.stop()
  await tellAll(here[0]!, stage, 'while you were away')
  for (const device of here) await device.newSession(room)
  await tellAll(here[1]!, stage, 'with another key')
  await server.restart('SIGTERM')
  for (const device of here) await device.newSession(room)
  await tellAll(here[2]!, stage, 'after the restart')
  await away.reopen()
  for (const text of ['while you were away', 'with another key', 'after the restart']) await away.reads(text)
  await tellAll(away, stage, 'back again')
}
