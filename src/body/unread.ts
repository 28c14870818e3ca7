import { GatewayError } from '../errors.ts'
import type { BodyEdit, ModelScanner } from './scanner.ts'

/** What may stand before a JSON object: white space, and the bytes of a byte order mark or of a wide encoding. */
const BEFORE = new Set(Buffer.from(' \t\r\n\0\xef\xbb\xbf\xfe\xff', 'latin1'))
const OPEN_OBJECT = 0x7b

/**
 * The scanner for a body of a type that is not read for its model: it must not be a
 * JSON object. Many services read a body as JSON whatever its type is (llama.cpp,
 * Ollama), or where it has none (FastAPI).
 */
export class UnreadBodyScanner implements ModelScanner {
  readonly model = undefined
  readonly namedBy = undefined
  readonly edit: BodyEdit | undefined = undefined
  #begun = false

  write (chunk: Buffer): void {
    if (this.#begun) return
    const first = chunk.find(byte => !BEFORE.has(byte))
    if (first === OPEN_OBJECT) throw new GatewayError('unsupported_media_type', { message: 'This route takes a JSON object with the type application/json only.' })
    this.#begun = first !== undefined
  }

  end (): void {}
}
