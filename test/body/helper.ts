import fc from 'fast-check'
import { GatewayError } from '../../src/errors.ts'
import type { ModelScanner } from '../../src/body/scanner.ts'

/** What a scan came to, in a form that two runs can be compared by. */
export interface Outcome {
  code?: string
  output?: string
  model?: string | null | undefined
  delta?: number
  settled?: boolean
}

/** Feeds the chunks, each in memory of its own that is spoiled once the output is taken. */
export function scan (scanner: ModelScanner, chunks: Iterable<Buffer>): Outcome {
  const output: string[] = []
  const take = (views: Buffer[]) => { for (const view of views) output.push(view.toString('latin1')) }
  try {
    for (const chunk of chunks) {
      const copy = Buffer.from(chunk)
      const settledAt = scanner.settled ? scanner.delta : undefined
      take(scanner.write(copy))
      // Once settled, delta is final: whoever sent a Content-Length relies on it.
      if (settledAt !== undefined && scanner.delta !== settledAt) throw new Error('delta moved after settled')
      // What the scanner holds back must not be a view of memory it does not own.
      copy.fill(0x7e)
    }
    take(scanner.end())
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return { code: error.code }
  }
  const { model, delta, settled } = scanner
  return { output: output.join(''), model, delta, settled }
}

/** Every two-chunk split, and byte by byte. */
export function * splits (body: Buffer): Generator<Buffer[]> {
  for (let at = 0; at <= body.length; at++) yield [body.subarray(0, at), body.subarray(at)]
  yield Array.from(body, (_, at) => body.subarray(at, at + 1))
}

/** The body cut at random places: many short chunks, few long ones. */
export function cut (body: Buffer, sizes: number[]): Buffer[] {
  const chunks: Buffer[] = []
  let at = 0
  for (let turn = 0; at < body.length; turn++) {
    const size = sizes[turn % sizes.length]!
    chunks.push(body.subarray(at, at + size))
    at += size
  }
  return chunks
}

/** Chunk sizes for {@link cut}. */
export const chunkSizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 100 })), { minLength: 1, maxLength: 6 })
