/** Tells when nobody waits for an answer any more: as an AbortSignal does, at the cost of a field. */
export interface ClientSignal {
  readonly aborted: boolean
  /** Throws the reason once it is aborted. */
  throwIfAborted(): void
  /** Calls `listener` when it aborts, unless `offAbort` is told of it before. */
  onAbort(listener: () => void): void
  offAbort(listener: () => void): void
}

/** An AbortSignal in this form. */
export function clientSignalOf(signal: AbortSignal): ClientSignal {
  return {
    get aborted() {
      return signal.aborted
    },
    throwIfAborted: () => signal.throwIfAborted(),
    onAbort: (listener) => signal.addEventListener('abort', listener, { once: true }),
    offAbort: (listener) => signal.removeEventListener('abort', listener),
  }
}
