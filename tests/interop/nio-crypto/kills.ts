import { until } from '../conversation.ts'
import type { NioDevice } from './devices.ts'
import type { Stage } from './talk.ts'

const KILLS = 3
/** Messages of all devices together between two kills, at least. */
const MESSAGES_PER_LIFE = 10
/** Messages of a device after which it makes a new room key. */
const MESSAGES_PER_KEY = 3

/**
 * `kill -9` of the server while all devices talk, with new room keys all the time and a device that comes and goes.
 * Every message that was sent is read by all, each once.
 */
export async function killedInTheMiddle({ server, devices, room }: Stage): Promise<void> {
  const sent = new Map<string, string>()
  let over = false
  const talk = async (device: NioDevice): Promise<void> => {
    for (let n = 1; !over; n++) {
      if (n % MESSAGES_PER_KEY === 0) await device.newSession(room)
      const text = `${device.who} says ${n}`
      sent.set(await device.send(room, text), device.who)
    }
  }
  const talking = Promise.all(devices.slice(0, -1).map(talk))
  const restless = devices.at(-1)!
  for (let i = 0; i < KILLS; i++) {
    await until(
      () => sent.size >= (i + 1) * MESSAGES_PER_LIFE,
      () => `enough is said, not ${sent.size} messages`,
    )
    if (i === 1) await restless.stop()
    await server.restart('SIGKILL')
    if (i === 1) await restless.reopen()
  }
  over = true
  await talking
  await Promise.all(devices.map((device) => readsThem(device, sent)))
}

async function readsThem(device: NioDevice, sent: ReadonlyMap<string, string>): Promise<void> {
  const missing = () =>
    [...sent]
      .filter(([id, who]) => who !== device.who && !device.read.some(({ eventId }) => eventId === id))
      .map(([id, who]) => `${id} of ${who}${device.unreadable.includes(id) ? ', unreadable' : ''}`)
  await until(
    () => missing().length === 0,
    () => `${device.who} has read all but ${missing().join('; ')} ${device.broken ?? ''}`,
  )
}
