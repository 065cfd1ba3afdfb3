import { Worker, type WorkerOptions } from 'node:worker_threads'

/** Starts a thread with a module, by its URL. */
export function startThread(module: URL, options: Omit<WorkerOptions, 'argv'>): Worker {
  return new Worker(new URL('./thread.ts', import.meta.url), { ...options, argv: [module.href] })
}
