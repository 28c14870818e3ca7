import { Worker } from 'node:worker_threads'
import { NoList, readReported, type ReportedList } from './reported.ts'

/** Up to this size in bytes, parsing costs less than starting a worker thread. */
const SMALL_BYTES = 128 * 1024
/** Heap of the worker, MiB: 16 MiB of JSON can become objects of many times that size. */
const WORKER_HEAP_MB = 512

/** The worker's message: the list, or the reason why there is none. */
export type WorkerAnswer = { list: ReportedList } | { reason: string }

/**
 * Reads the bytes of a list without blocking the event loop: a long one is parsed
 * in a worker thread.
 * @throws NoList as {@link readReported} does; the signal's reason where it aborts.
 */
export async function readList (bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<ReportedList> {
  return bytes.length <= SMALL_BYTES ? readReported(textOf(bytes)) : await readInWorker(bytes, signal)
}

/** UTF-8, with a byte order mark or without. */
export function textOf (bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

async function readInWorker (bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<ReportedList> {
  signal.throwIfAborted()
  const worker = new Worker(new URL('list-worker.ts', import.meta.url), {
    workerData: bytes,
    transferList: [bytes.buffer],
    resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB }
  })
  const { promise, resolve, reject } = Promise.withResolvers<WorkerAnswer>()
  const stop = () => reject(signal.reason)
  signal.addEventListener('abort', stop)
  worker.once('message', resolve)
  worker.once('error', error => reject((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY' ? new NoList('answers with JSON that takes too much memory') : error))
  try {
    const answer = await promise
    if ('reason' in answer) throw new NoList(answer.reason)
    return answer.list
  } finally {
    signal.removeEventListener('abort', stop)
    await worker.terminate()
  }
}
