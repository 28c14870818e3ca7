// The worker thread in which list-reader.ts parses long lists.
import { parentPort, workerData } from 'node:worker_threads'
import { textOf, type WorkerAnswer } from './list-reader.ts'
import { NoList, readReported } from './reported.ts'

function answer (): WorkerAnswer {
  try {
    return { list: readReported(textOf(workerData as Uint8Array)) }
  } catch (error) {
    if (error instanceof NoList) return { reason: error.message }
    throw error
  }
}

parentPort?.postMessage(answer())
