/** Keys of devices: uploads by several devices at once, questions about many users, claims for many devices. */
import { CURVE, type Device, deviceKeys, type Json, oneTimeKeys } from './material.ts'
import type { Run } from './run.ts'

const UPLOADS_AT_ONCE = 10
/** One-time keys of a first upload, of half of the devices each. */
const FIRST_KEYS = [20, 50] as const

/** Uploads of all devices, after which each has 50 one-time keys or more; gives how many keys there are. */
export async function measureUploads(run: Run): Promise<number> {
  const { devices, figures } = run
  const half = Math.ceil(devices.length / 2)
  const halves = [devices.slice(0, half), devices.slice(half)]
  let keys = 0
  const measure = async (name: string, who: readonly Device[], body: (device: Device) => Json) => {
    const requests = who.map((device) => run.post(device, 'keys/upload', body(device)))
    await figures.measure({
      name: `${name}, ${UPLOADS_AT_ONCE} at once`,
      times: requests.length,
      atOnce: UPLOADS_AT_ONCE,
      request: (n) => requests[n]!,
      check: (text) => {
        if (!text.includes('one_time_key_counts')) throw new Error(`an upload was answered ${text}`)
      },
    })
  }
  for (const [index, count] of FIRST_KEYS.entries()) {
    const who = halves[index]!
    await measure(`upload of device keys and ${count} one-time keys`, who, (device) => ({
      device_keys: deviceKeys(device),
      one_time_keys: oneTimeKeys(device, 0, count),
    }))
    keys += who.length * count
  }
  const more = FIRST_KEYS[1] - FIRST_KEYS[0]
  await measure(`upload of ${more} one-time keys`, halves[0]!, (device) => ({
    one_time_keys: oneTimeKeys(device, FIRST_KEYS[0], more),
  }))
  return keys + halves[0]!.length * more
}

/** One user asks for the keys of all, again and again. */
export async function measureQueries(run: Run): Promise<void> {
  const { devices } = run
  const wanted = Object.fromEntries(devices.map(({ user }) => [user.userId, []]))
  const request = run.post(devices[0]!, 'keys/query', { device_keys: wanted })
  await run.repeated(
    `query of ${devices.length} users`,
    () => request,
    counted('"algorithms":', devices.length),
  )
}

/** Each round takes one key of each device; there must be as many keys as rounds, warming up included. */
export async function measureClaims(run: Run, count: number): Promise<void> {
  const { devices } = run
  const some = devices.slice(0, count)
  const wishes = Object.fromEntries(some.map(({ user, id }) => [user.userId, { [id]: CURVE }]))
  const request = run.post(devices[0]!, 'keys/claim', { one_time_keys: wishes })
  await run.repeated(`claim of ${some.length} devices`, () => request, counted('"key":', some.length))
}

/** A check that an answer has a text so many times. */
function counted(what: string, times: number): (text: string) => void {
  return (text) => {
    const found = text.split(what).length - 1
    if (found !== times) throw new Error(`${found} times ${what} in an answer in place of ${times}`)
  }
}
