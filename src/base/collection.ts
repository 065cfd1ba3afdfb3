/** Full garbage collections in all threads of the process, where `bin/myelin` has made the collector callable. */

const CHANNEL = 'myelin.collection'

/** A full collection in this thread that gives back all it can; blocks it for some tens of milliseconds. */
export function collectHere(): void {
  void globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/** Makes a thread collect when another one says `collectEverywhere`. Does not keep the thread alive. */
export function collectWhenAsked(): void {
  if (!globalThis.gc) return
  const channel = new BroadcastChannel(CHANNEL)
  channel.onmessage = collectHere
  channel.unref()
}

/** A full collection in this thread, and soon after in all that said `collectWhenAsked`. */
export function collectEverywhere(): void {
  const channel = new BroadcastChannel(CHANNEL)
  channel.postMessage(undefined)
  channel.close()
  collectHere()
}
