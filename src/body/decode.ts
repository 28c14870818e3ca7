import type { Duplex } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { GatewayError } from '../errors.ts'

// RFC 9110 section 8.4.1 and RFC 8878; `x-gzip` is gzip's old name.
const DECODERS: Record<string, () => Duplex> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  // RFC 9659: a window of 8 MB at most. Node's default is 128 MB, which 3 KB of input can make a decoder allocate.
  zstd: () => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 23 } })
}

/**
 * The decoder that a body's `Content-Encoding` asks for; undefined where the
 * body is not encoded. One coding at a time: no client stacks them.
 * @throws GatewayError unsupported_media_type for a coding that is not known
 */
export function bodyDecoder (contentEncoding: string | undefined): Duplex | undefined {
  const coding = contentEncoding?.trim().toLowerCase() ?? ''
  if (coding === '' || coding === 'identity') return undefined
  const create = DECODERS[coding]
  if (create === undefined || !Object.hasOwn(DECODERS, coding)) {
    throw new GatewayError('unsupported_media_type', {
      message: `The request body has a Content-Encoding that is not supported; supported: ${Object.keys(DECODERS).join(', ')}.`,
      headers: { 'accept-encoding': Object.keys(DECODERS).join(', ') }
    })
  }
  return create()
}
