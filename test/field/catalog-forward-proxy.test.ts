// A company network: the inference service is reached through a forward proxy
// only, which HTTP_PROXY, HTTPS_PROXY and NO_PROXY name. A service with TLS is
// reached through a tunnel (CONNECT) and has to prove itself all the same; one
// without is asked for in absolute form (RFC 9112 section 3.2.2).
import { createServer, request as httpRequest } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { InferenceModels } from '../../src/catalog/inference.ts'
import { loadConfig } from '../../src/config.ts'
import { trustedAuthorities } from '../../src/proxy/certificates.ts'
import { listen, settings } from '../catalog/service.ts'
import { makeCertificates } from '../faults/certificates.ts'

const { authority, good } = makeCertificates(t.testdir())
const NAMES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy']
for (const name of NAMES) delete process.env[name]

/** A forward proxy; `asked` collects what it is asked for. */
async function proxy (t: Test, { refuses = false } = {}) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const { connection, 'proxy-connection': _, ...headers } = request.headers
    request.pipe(httpRequest(request.url as string, { method: request.method, headers, agent: false }, answer => {
      response.writeHead(answer.statusCode as number, answer.headers)
      answer.pipe(response)
    }))
  })
  server.on('connect', ({ url = '' }, client) => {
    asked.push(`CONNECT ${url}`)
    client.on('error', () => {})
    if (refuses) return client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
    const [host, port] = url.split(':')
    const upstream = connect(Number(port), host, () => client.write('HTTP/1.1 200 Connection Established\r\n\r\n'))
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy())
    client.on('close', () => upstream.destroy())
    client.pipe(upstream).pipe(client)
  })
  return { asked, url: await listen(t, server) }
}

async function service (t: Test, isTls: boolean) {
  const keys: Array<string | undefined> = []
  const server = isTls ? createTlsServer(good) : createServer()
  server.on('request', (request, response) => {
    keys.push(request.headers.authorization)
    response.end('[{"id":"m"}]')
  })
  const { port } = new URL(await listen(t, server))
  return { keys, host: `localhost:${port}`, url: `${isTls ? 'https' : 'http'}://localhost:${port}` }
}

/** The list, with these variables in the environment. */
async function load (t: Test, url: string, environment: Record<string, string>, ca?: string[]) {
  Object.assign(process.env, environment)
  const models = new InferenceModels(loadConfig({ ...settings, INFERENCE_SERVICE_URL: url, INFERENCE_API_KEY: 'secret' }), { ca })
  t.teardown(async () => {
    await models.close()
    for (const name of NAMES) delete process.env[name]
  })
  return (await models.load(new AbortController().signal)).models
}

t.test('TLS: through a tunnel, and the service is verified', async t => {
  const { asked, url } = await proxy(t)
  const { keys, host, url: serviceUrl } = await service(t, true)
  t.same(await load(t, serviceUrl, { HTTPS_PROXY: url }, trustedAuthorities(authority)), [{ id: 'm' }])
  t.same(asked, [`CONNECT ${host}`])
  t.same(keys, ['Bearer secret'])
})

t.test('TLS: a service that nobody vouches for never gets the key', async t => {
  const { asked, url } = await proxy(t)
  const { keys, host, url: serviceUrl } = await service(t, true)
  await t.rejects(load(t, serviceUrl, { https_proxy: url }), new Error('The inference service cannot be used (UNABLE_TO_VERIFY_LEAF_SIGNATURE).'))
  t.same(asked, [`CONNECT ${host}`])
  t.same(keys, [])
})

t.test('without TLS: in absolute form', async t => {
  const { asked, url } = await proxy(t)
  const { keys, url: serviceUrl } = await service(t, false)
  t.same(await load(t, serviceUrl, { HTTP_PROXY: url }), [{ id: 'm' }])
  t.same(asked, [`GET ${serviceUrl}/models`])
  t.same(keys, ['Bearer secret'])
})

t.test('NO_PROXY: not at all', async t => {
  const { asked, url } = await proxy(t)
  for (const isTls of [true, false]) {
    const { url: serviceUrl } = await service(t, isTls)
    t.same(await load(t, serviceUrl, { HTTP_PROXY: url, HTTPS_PROXY: url, NO_PROXY: 'example.com, localhost' }, trustedAuthorities(authority)), [{ id: 'm' }])
  }
  t.same(asked, [])
})

t.test('a proxy that refuses or is not there: an error without its address', async t => {
  const { url } = await proxy(t, { refuses: true })
  const { url: serviceUrl } = await service(t, true)
  for (const HTTPS_PROXY of [url, 'http://user:hunter2@127.0.0.1:1']) {
    const error = await load(t, serviceUrl, { HTTPS_PROXY }).then(() => t.fail('read'), (error: Error) => error) as Error
    t.match(error.message, /^The inference service /)
    t.notMatch(error.message, /127\.0\.0\.1|localhost|hunter2/)
    if (HTTPS_PROXY === url) t.equal(error.message, 'The inference service cannot be reached: the forward proxy answered 403.')
  }
})
