import fc from 'fast-check'
import { GatewayError } from '../../src/errors.ts'
import { edited, type ModelScanner } from '../../src/body/scanner.ts'

/** What a scan came to, in a form that two runs can be compared by. */
export interface Outcome {
  code?: string
  output?: string
  model?: string | null | undefined
  delta?: number
}

/** Feeds the chunks, each in memory of its own that is overwritten after the call, and applies the edit. */
export function scan (scanner: ModelScanner, chunks: Iterable<Buffer>): Outcome {
  const body: Buffer[] = []
  try {
    for (const chunk of chunks) {
      body.push(Buffer.from(chunk))
      const copy = Buffer.from(chunk)
      scanner.write(copy)
      copy.fill(0x7e)
    }
    scanner.end()
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return { code: error.code }
  }
  const { model, edit } = scanner
  const delta = edit === undefined ? 0 : edit.inserted.length - edit.removed
  return { output: edited(Buffer.concat(body), edit).toString('latin1'), model, delta }
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
