// Several people administer the catalog, each with a key and a name: the audit says
// who made which change, and one of them can be locked out alone.
import { join } from 'node:path'
import t from 'tap'
import { tempDir } from '../catalog/helper.ts'
import { startGateway } from '../helper.ts'
import { ask } from './helper.ts'

const ALICE = 'key-of-alice-16-letters'
const BOB = 'key:of:bob-with-colons'
const NAMELESS = 'key-without-any-name'

t.test('the audit names the key, and never shows it', async t => {
  // Removed after the gateway has closed, which writes its snapshot; t.testdir is removed before that.
  const folder = tempDir(t)
  const { app, port } = await startGateway(t, {
    CATALOG_SOURCE: 'database',
    DATABASE_URL: `sqlite:${join(folder, 'catalog.db')}`,
    CATALOG_SNAPSHOT_FILE: join(folder, 'snapshot.json'),
    ADMIN_API_KEY: `alice:${ALICE},bob:${BOB},${NAMELESS}`
  })
  const hide = async (key: string, isActive: boolean) => (await ask(port, {
    path: '/admin/models/sdxl',
    method: 'PATCH',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ isActive })
  })).status
  t.same([await hide(ALICE, false), await hide(BOB, true), await hide(NAMELESS, false), await hide('alice', true), await hide(`bob:${BOB}`, true)], [200, 200, 200, 401, 401])

  const audit = (await ask(port, { path: '/admin/audit', headers: { 'x-api-key': ALICE } })).body
  t.same(audit.data.filter(({ modelId }: any) => modelId === 'sdxl').slice(0, 3).map(({ who }: any) => who), [app.credentials.adminKeys.find(NAMELESS), 'bob', 'alice'])
  t.match(app.credentials.adminKeys.find(NAMELESS), /^admin-[0-9a-f]{8}$/)
  t.notMatch(JSON.stringify(audit), /key-of|key:of|key-without/)

  app.credentials.renew({ API_KEYS: [], ADMIN_API_KEY: [`bob:${BOB}`] })
  t.same([await hide(ALICE, true), await hide(BOB, true)], [401, 200])
})

t.test('each kind of key opens its own door, in any of the headers', async t => {
  const { app, port } = await startGateway(t, { API_KEYS: `web:${ALICE}`, ADMIN_API_KEY: `bob:${BOB}`, RATE_LIMIT: '2' })
  for (const status of [200, 200, 429]) t.equal((await ask(port, { headers: { 'api-key': ALICE } })).status, status)
  t.equal((await ask(port, { path: '/admin/catalog', headers: { 'api-key': BOB } })).status, 200)
  t.equal(app.credentials.apiKeys.find(ALICE), 'web')
})
