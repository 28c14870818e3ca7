import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { gunzipSync } from 'node:zlib'
import type { Teardown } from '../helper.ts'

/** A span as it was received. */
export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  /** Empty: the span has no parent. */
  readonly parentId: string
  readonly name: string
  readonly kind: 'internal' | 'server' | 'client'
  readonly attributes: Record<string, unknown>
  /** `error` or undefined, and what it says. */
  readonly status: { readonly code: number, readonly message: string }
  readonly resource: Record<string, unknown>
  /** Nanoseconds since 1970. */
  readonly start: bigint
  readonly end: bigint
}

/** A collector of traces: what an operator has OTEL_EXPORTER_OTLP_ENDPOINT point at. */
export interface OtlpReceiver {
  readonly url: string
  readonly spans: ReceivedSpan[]
  /** The headers of each request. */
  readonly headers: Record<string, unknown>[]
}

/** Starts a collector that speaks OTLP over HTTP as protobuf; it ends with the test. */
export async function startOtlpReceiver (t: Teardown): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = []
  const headers: Record<string, unknown>[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    headers.push({ ...request.headers, path: request.url })
    spans.push(...spansOf(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body))
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, headers }
}

type Fields = Map<number, (Buffer | bigint)[]>

/** Protobuf's wire format (https://protobuf.dev/programming-guides/encoding/): field number → values. */
function decode (bytes: Buffer): Fields {
  const fields: Fields = new Map()
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    let value: Buffer | bigint
    if ((tag & 7) === 0) value = varint()
    else {
      const length = (tag & 7) === 1 ? 8 : (tag & 7) === 5 ? 4 : Number(varint())
      value = bytes.subarray(at, at += length)
    }
    fields.set(tag >> 3, [...fields.get(tag >> 3) ?? [], value])
  }
  return fields
}

const messages = (fields: Fields, number: number) => (fields.get(number) ?? []).map(value => decode(value as Buffer))
const bytes = (fields: Fields, number: number) => (fields.get(number)?.[0] ?? Buffer.alloc(0)) as Buffer

/** ExportTraceServiceRequest of opentelemetry-proto 1.x. */
function spansOf (body: Buffer): ReceivedSpan[] {
  return messages(decode(body), 1).flatMap(resourceSpans => {
    const resource = attributes(messages(resourceSpans, 1)[0]!, 1)
    return messages(resourceSpans, 2).flatMap(scope => messages(scope, 2)).map((span): ReceivedSpan => {
      const status = messages(span, 15)[0]
      return {
        traceId: bytes(span, 1).toString('hex'),
        spanId: bytes(span, 2).toString('hex'),
        parentId: bytes(span, 4).toString('hex'),
        name: bytes(span, 5).toString(),
        kind: (['internal', 'internal', 'server', 'client'] as const)[Number(span.get(6)?.[0] ?? 0)]!,
        start: bytes(span, 7).readBigUInt64LE(),
        end: bytes(span, 8).readBigUInt64LE(),
        attributes: attributes(span, 9),
        status: { code: Number(status?.get(3)?.[0] ?? 0), message: status === undefined ? '' : bytes(status, 2).toString() },
        resource
      }
    })
  })
}

function attributes (fields: Fields, number: number): Record<string, unknown> {
  return Object.fromEntries(messages(fields, number).map(pair => {
    const [[kind, [value]]] = [...messages(pair, 2)[0]!] as [[number, [Buffer | bigint]]]
    return [bytes(pair, 1).toString(), kind === 1 ? value.toString() : kind === 2 ? value === 1n : kind === 3 ? Number(value) : kind === 4 ? (value as Buffer).readDoubleLE() : value]
  }))
}
