// Rolling back: a gateway runs on tables that a later version has changed. A
// migration only ever adds (a column with a default, a table, an index), so the
// earlier version lists and edits as before, and what the later one stored stays.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { tempDir } from '../catalog/helper.ts'
import { startGateway } from '../helper.ts'
import { byHand, ENGINES } from '../store/engines.ts'

const KEY = 'the-admin-key-of-this-test'
const LATER_VERSION = 'alter table models add column later text default \'new\'; create table later_table (id integer); insert into catalog_migrations (version) values (99)'

async function start (t: Test, database: string) {
  const { app, url } = await startGateway(t, { CATALOG_SOURCE: 'database', DATABASE_URL: database, CATALOG_SNAPSHOT_FILE: join(tempDir(t), 'snapshot.json'), ADMIN_API_KEY: KEY })
  const call = async (method: string, path: string, body?: object) => {
    const answer = await fetch(url + path, { method, headers: { authorization: `Bearer ${KEY}`, ...(body !== undefined && { 'content-type': 'application/json' }) }, ...(body !== undefined && { body: JSON.stringify(body) }) })
    return { status: answer.status, json: await answer.json() as any }
  }
  return { stop: () => app.close(), call }
}

for (const { engine, skip, freshUrl } of ENGINES) {
  t.test(engine, { skip }, async t => {
    const database = await freshUrl(t)
    const first = await start(t, database)
    t.equal((await first.call('POST', '/admin/models', { id: 'kept', name: 'Kept', type: 'chat' })).status, 201)
    await first.stop()

    await byHand(database, LATER_VERSION)
    const earlier = await start(t, database)
    t.equal((await earlier.call('GET', '/v1/models')).json.length, 8)
    t.equal((await earlier.call('PATCH', '/admin/models/kept', { name: 'Renamed' })).status, 200)
    t.equal((await earlier.call('POST', '/admin/models', { id: 'added', name: 'Added', type: 'image' })).status, 201)
    t.match((await earlier.call('GET', '/v1/models?type=chat')).json.at(-1), { id: 'kept', name: 'Renamed' })
    await earlier.stop()

    await byHand(database, 'select later from models; insert into later_table (id) values (1)')
    const again = await start(t, database)
    t.equal((await again.call('GET', '/v1/models')).json.length, 9, 'forward again')
  })
}
