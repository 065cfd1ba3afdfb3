/** Figures about what is written, under the names that dashboards made for Synapse read. */
import type { Metrics } from '#/base/metrics.ts'
import type { Store } from '#/ports/store/store.ts'

/** Counts events and tells the position of the newest; the result stops it. */
export function measureStore(store: Store, metrics: Metrics): () => void {
  const events = metrics
    .counter({
      name: 'synapse_storage_events_persisted_events',
      help: 'Events that were written since the start.',
    })
    .cell()
  metrics
    .gauge({
      name: 'synapse_event_persisted_position',
      help: 'The newest position that the streams have reached.',
      labels: ['name'],
    })
    .collect((set) => set(store.position(), { name: 'master' }))
  return store.onChange((changes) => {
    const written = changes.filter(({ stream }) => stream === 'events').length
    if (written > 0) events.inc(written)
  })
}
