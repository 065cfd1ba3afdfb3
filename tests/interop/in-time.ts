/** Waits with an end. */

/** Between two looks at the clock: matrix-js-sdk's tests let timers of a second or more hold nothing (quiet.ts). */
const LOOK_MS = 500

/** What a promise gives; rejects with what `late` makes when that takes longer than `msMax` milliseconds. */
export async function inTime<T>(promise: Promise<T>, msMax: number, late: () => Error): Promise<T> {
  const end = performance.now() + msMax
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLate = new Promise<never>((_, reject) => {
    const look = (): void => {
      if (performance.now() > end) reject(late())
      else timer = setTimeout(look, LOOK_MS)
    }
    timer = setTimeout(look, LOOK_MS)
  })
  try {
    return await Promise.race([promise, tooLate])
  } finally {
    clearTimeout(timer)
  }
}
