import { createServer, type IncomingHttpHeaders } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Teardown } from '../helper.ts'

/** A request as the service received it. */
export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: string[]
  readonly body: Buffer
}

/** What a {@link startService} answers. */
export interface Reply {
  readonly status?: number
  readonly headers?: Record<string, string | string[]>
  readonly body?: string
}

/** An inference service that notes what it gets, and answers as it is told. */
export async function startService (t: Teardown, answer: (request: Received) => Reply = () => ({ body: '{"ok":true}' })): Promise<{ url: string, port: number, received: Received[] }> {
  const received: Received[] = []
  const server = createServer({ maxHeaderSize: 65536 }, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { method, url, headers, rawHeaders } = request
    const seen = { method: method!, url: url!, headers, rawHeaders, body: Buffer.concat(chunks) }
    received.push(seen)
    const { status = 200, headers: own = {}, body = '' } = answer(seen)
    response.writeHead(status, { 'content-type': 'application/json', ...own }).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port, received }
}

/** A POST of JSON. */
export function post (body: string, headers: Record<string, string> = {}): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body }
}
