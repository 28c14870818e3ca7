// Settings: every problem is reported at once, and none of them shows a value.
import t from 'tap'
import { ConfigError, loadConfig } from '../src/config.ts'
import { startGateway } from './helper.ts'

t.test('an empty environment gives the documented defaults, frozen', async t => {
  const config = loadConfig({})
  t.match(config, { HOST: '127.0.0.1', PORT: 8000, INFERENCE_SERVICE_URL: 'http://localhost:8001', MODEL_CACHE_TIMEOUT: 1800, DEFAULT_CHAT_MODEL: 'gemini-1.5-flash', DEFAULT_IMAGE_MODEL: 'sdxl', CATALOG_SOURCE: 'static', API_KEYS: [], BODY_LIMIT: 104857600 })
  t.notOk('DEFAULT_SPEECH_MODEL' in config)
  t.ok(Object.isFrozen(config))
})

t.test('an empty or blank variable counts as unset', async t => {
  t.equal(loadConfig({ PORT: '', DEFAULT_CHAT_MODEL: ' ' }).PORT, 8000)
})

t.test('lists, decimals and TRUST_PROXY are converted', async t => {
  const config = loadConfig({ API_KEYS: 'a, b,,c', QUEUE_TIMEOUT: '0.25', TRUST_PROXY: '10.0.0.0/8,127.0.0.1' })
  t.same(config.API_KEYS, ['a', 'b', 'c'])
  t.equal(config.QUEUE_TIMEOUT, 0.25)
  t.equal(config.TRUST_PROXY, '10.0.0.0/8,127.0.0.1')
  t.equal(loadConfig({ TRUST_PROXY: 'true' }).TRUST_PROXY, true)
  t.equal(loadConfig({ TRUST_PROXY: '1' }).TRUST_PROXY, 1)
})

t.test('all problems come at once, one line each, without values', async t => {
  const secret = 'sk- with-space'
  try {
    loadConfig({ PORT: 'eighty', LOG_LEVEL: 'loud', INFERENCE_API_KEY: secret, UPSTREAM_IDLE_TIMEOUT: '0', INFERENCE_SERVICE_URL: 'http://user:hunter2@host/' })
    t.fail('accepted')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    t.same(error.problems.map(line => line.split(' ')[0]).sort(), ['INFERENCE_API_KEY', 'INFERENCE_SERVICE_URL', 'LOG_LEVEL', 'PORT', 'UPSTREAM_IDLE_TIMEOUT'])
    t.notMatch(error.message, /eighty|loud|with-space|hunter2/)
  }
})

for (const [name, value] of Object.entries({ PORT: '70000', MODEL_CACHE_TIMEOUT: '-1', QUEUE_TIMEOUT: '1e3', BODY_LIMIT: '1.5', DATABASE_URL: 'mysql://x', INFERENCE_SERVICE_URL: 'ftp://x', TRUST_PROXY: '-1', DEFAULT_IMAGE_MODEL: 'a\r\nb', PROXY_EXTRA_PATHS: 'score,v1/../../admin', PAGES: 'yes', REUSE_PORT: '1', METRICS_PORT: '65536', SPOOL_LIMIT: '0', CLIENT_HEADER_LIMIT: '100', UPSTREAM_CONNECTION_AGE: '0', REDIS_URL: 'http://localhost:6379' })) {
  t.test(`${name}=${value} is refused`, async t => {
    t.throws(() => loadConfig({ [name]: value }), new RegExp(`^${name} must `))
  })
}

t.test('a list of nothing but commas is a slip, not an open gateway', async t => {
  t.throws(() => loadConfig({ API_KEYS: ' , ,' }), /API_KEYS must/)
})

t.test('origins are what browsers send, and nothing that would never match', async t => {
  const origins = ['*', 'https://studio.example', 'http://localhost:3000/', 'http://[::1]:5173', 'chrome-extension://abcdef']
  t.same(loadConfig({ CORS_ORIGINS: origins.join(', ') }).CORS_ORIGINS, origins)
  for (const origin of ['foo', 'studio.example', 'https://', 'https://a.example/app', 'https://*.example', 'https://user@a.example', '//a.example', 'null', 'http://:80', 'http://:99999', 'http://a.example:99999', 'http://[::1', 'http://a b']) t.throws(() => loadConfig({ CORS_ORIGINS: origin }), /CORS_ORIGINS must/, origin)
})

t.test('extra paths are plain paths, and not the catalog\'s', async t => {
  const paths = ['score', 'v2/rerank', 'modelsx', 'a.b', 'files/*', 'fine_tuning/*', 'fine_tuning/checkpoints/ft:a:b/permissions', 'a:b']
  t.same(loadConfig({ PROXY_EXTRA_PATHS: paths.join(', ') }).PROXY_EXTRA_PATHS, paths)
  for (const path of ['*', '/*', 'a*', 'a/*/b', 'a/**', '*/a', 'models/*', '../*', 'a/../*', './*',
    'a/../b', '..', './a', 'a/.', '/a', 'a//b', 'a/', 'a?b', 'a%2e', 'models', 'models/a', 'a b']) t.throws(() => loadConfig({ PROXY_EXTRA_PATHS: path }), /PROXY_EXTRA_PATHS/, path)
})

t.test('the admin key must be its own, whatever the names', async t => {
  for (const [clients, admins] of [['a,b', 'b'], ['a,web:b', 'b'], ['a,web:b', 'alice:c,bob:b'], ['a:b:c', ':b:c']] as const) {
    t.throws(() => loadConfig({ API_KEYS: clients, ADMIN_API_KEY: admins }), /ADMIN_API_KEY must not be one of API_KEYS/)
  }
  t.ok(loadConfig({ API_KEYS: 'alice:a', ADMIN_API_KEY: 'alice:b' }), 'a name may have a key of each kind')
})

t.test('a name before a key is plain', async t => {
  for (const entry of ['a', 'web:a', 'web-2.x_y:a:b', ':a:b', ':::']) t.same(loadConfig({ API_KEYS: entry }).API_KEYS, [entry])
  for (const entry of ['a b:c', 'a/b:c', '-a:b', 'web:', ':', `${'n'.repeat(65)}:k`, 'é:k', 'k\u0001']) t.throws(() => loadConfig({ API_KEYS: entry }), /API_KEYS must be keys, or names and keys/, entry)
})

t.test('PUBLIC_URL loses its last slash; a path stays', async t => {
  t.equal(loadConfig({ PUBLIC_URL: 'https://A.example:443/' }).PUBLIC_URL, 'https://a.example')
  t.equal(loadConfig({ PUBLIC_URL: 'http://a.example:8080/gateway/v2//' }).PUBLIC_URL, 'http://a.example:8080/gateway/v2')
  for (const url of ['a.example', 'ftp://a.example', 'https://u:p@a.example', 'https://a.example/?x', 'https://a.example/#x', '/gateway']) t.throws(() => loadConfig({ PUBLIC_URL: url }), /PUBLIC_URL must/, url)
})

t.test('allowed hosts are names alone', async t => {
  t.same(loadConfig({ ALLOWED_HOSTS: 'gateway.example, model_gateway.svc' }).ALLOWED_HOSTS, ['gateway.example', 'model_gateway.svc'])
  for (const host of ['a.example:80', 'https://a.example', 'a/b', '*.example', 'a b', '.a']) t.throws(() => loadConfig({ ALLOWED_HOSTS: host }), /ALLOWED_HOSTS must/, host)
})

t.test('limits that are no whole milliseconds start a gateway', async t => {
  for (const [headers, body] of [['4.03', '2.01'], ['4.03', '8.03'], ['0.0001', '1.0001'], ['1', '0.0001']] as const) {
    const { app } = await startGateway(t, { CLIENT_HEADERS_TIMEOUT: headers, CLIENT_BODY_TIMEOUT: body })
    t.ok(app.server.headersTimeout >= 1 && app.server.headersTimeout <= app.server.requestTimeout, `${headers}, ${body}`)
  }
})
