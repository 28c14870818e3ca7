import { once } from 'node:events'
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'

export interface Question {
  readonly path?: string
  readonly method?: string
  /** Also such as `fetch` would not send: `Host`, `Origin`. */
  readonly headers?: Record<string, string>
  readonly body?: string
  /** The address of this machine from which to ask. */
  readonly from?: string
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: any
}

/** Asks a gateway on 127.0.0.1, on a connection of its own. Default: `GET /v1/models`. */
export async function ask (port: number, { path = '/v1/models', method = 'GET', headers = {}, body, from }: Question = {}): Promise<Reply> {
  const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false, ...(from !== undefined && { localAddress: from }) })
  asked.end(body)
  const [response] = await once(asked, 'response') as [IncomingMessage]
  return { status: response.statusCode!, headers: response.headers, body: await json(response) }
}

/** How many of each there are. */
export function tally (values: readonly (string | number)[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}
