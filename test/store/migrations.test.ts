// A database of an earlier version, with rows in it: the next start brings its
// tables up to date and loses nothing. What the first filling of the table wrote
// are defaults; what an admin wrote since is known as the admin's.
import t from 'tap'
import { openStore } from '../../src/store/store.ts'
import { byHand, ENGINES } from './engines.ts'

/** The tables of version 1 as it made them, on either engine, filled and then edited. */
const VERSION_1 = `
  create table catalog_migrations (version integer not null primary key, applied_at timestamptz default current_timestamp not null);
  insert into catalog_migrations (version) values (1);
  create table models (
    id varchar(100) not null primary key, name varchar(255) not null, description text default '' not null, context_length bigint,
    model_type varchar(10) default 'chat' not null check (model_type in ('chat', 'image', 'speech')), is_active boolean default true not null,
    provider varchar(100), position integer, created_at timestamptz default current_timestamp not null, updated_at timestamptz default current_timestamp not null);
  create table catalog_revision (id integer not null primary key, number bigint not null, seeded boolean not null);
  insert into catalog_revision values (1, 3, true);
  create table catalog_audit (
    revision bigint not null, sequence integer not null, at timestamptz not null, who varchar(255) not null, action varchar(10) not null,
    model_id varchar(100), before text, after text, constraint catalog_audit_key primary key (revision, sequence));
  insert into models (id, name, description, context_length, position, created_at, updated_at) values
    ('untouched', 'Untouched', 'A default', 4096, 1, '2025-05-01T00:00:00.000Z', '2025-06-01T00:00:00.000Z'),
    ('renamed', 'Renamed', 'A default', null, 2, '2025-05-01T00:00:00.000Z', '2025-06-02T00:00:00.000Z'),
    ('created', 'Created', '', null, 3, '2025-06-03T00:00:00.000Z', '2025-06-03T00:00:00.000Z');
  insert into models (id, name) values ('by-hand', 'By hand');
  insert into catalog_audit values
    (1, 0, '2025-06-01T00:00:00.000Z', 'start', 'create', 'untouched', null, '{"id":"untouched","name":"Untouched","description":"A default","type":"chat","contextLength":4096,"isActive":true}'),
    (1, 1, '2025-06-01T00:00:00.000Z', 'start', 'create', 'renamed', null, '{"id":"renamed","name":"Old","description":"A default","type":"chat","isActive":true}'),
    (2, 0, '2025-06-02T00:00:00.000Z', 'admin-1', 'update', 'renamed', '{"id":"renamed","name":"Old","description":"A default","type":"chat","isActive":true}', '{"id":"renamed","name":"Renamed","description":"A default","type":"chat","isActive":true}'),
    (3, 0, '2025-06-03T00:00:00.000Z', 'admin-1', 'create', 'created', null, '{"id":"created","name":"Created","description":"","type":"chat","isActive":true}');
`

for (const { engine, skip, freshUrl } of ENGINES) {
  t.test(engine, { skip }, async t => {
    const url = await freshUrl(t)
    await byHand(url, VERSION_1)
    const store = await openStore(url, { auditDays: 36_500 })
    t.teardown(async () => await store.close())
    await store.prepare([])

    const { revision, placed } = await store.contents()
    t.equal(revision, 3)
    const records = placed.map(({ record }) => record)
    t.same(records.slice(0, 3), [
      { id: 'untouched', name: 'Untouched', description: 'A default', type: 'chat', contextLength: 4096, isActive: true, set: [], createdAt: '2025-05-01T00:00:00.000Z', updatedAt: '2025-06-01T00:00:00.000Z' },
      { id: 'renamed', name: 'Renamed', description: 'A default', type: 'chat', isActive: true, set: ['name'], createdAt: '2025-05-01T00:00:00.000Z', updatedAt: '2025-06-02T00:00:00.000Z' },
      { id: 'created', name: 'Created', description: '', type: 'chat', isActive: true, createdAt: '2025-06-03T00:00:00.000Z', updatedAt: '2025-06-03T00:00:00.000Z' }
    ])
    t.match(records[3], { id: 'by-hand', set: undefined })
    t.equal((await store.audit(100)).entries.length, 4)

    const capabilities = { input: ['text', 'image'], tools: true }
    await store.change('ann', records => records.map(record => record.id === 'created' ? { ...record, capabilities } : record))
    t.same((await store.contents()).placed[2]?.record.capabilities, capabilities)
    await store.prepare([])
    t.equal((await store.contents()).placed.length, 4, 'a second start changes nothing')
  })

  t.test(`${engine}: JSON in a row that somebody broke by hand hides no model`, { skip }, async t => {
    const url = await freshUrl(t)
    const store = await openStore(url)
    t.teardown(async () => await store.close())
    await store.prepare([{ id: 'a', name: 'A', description: '', type: 'chat', isActive: true }])
    for (const json of ['{', '[]', '{"tools":"yes"}', 'null']) {
      await byHand(url, `update models set capabilities = '${json}', set_fields = '${json === '[]' ? '["nothing"]' : json}'`)
      t.same(Object.keys((await store.contents()).placed[0]?.record ?? {}), ['id', 'name', 'description', 'type', 'isActive', 'createdAt', 'updatedAt'], json)
    }
  })
}
