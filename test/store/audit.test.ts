// The audit stays bounded, in rows, in age and in the size of a page; and a new
// order is one entry that tells what moved.
import t from 'tap'
import { openStore } from '../../src/store/store.ts'
import { byHand, ENGINES } from './engines.ts'

const model = (id: string, description = '') => ({ id, name: id, description, type: 'chat' as const, isActive: true })

for (const { engine, skip, freshUrl } of ENGINES) {
  t.test(engine, { skip }, async t => {
    const url = await freshUrl(t)
    const first = await openStore(url, { auditDays: 30 })
    await first.prepare([])
    await first.close()

    const entry = (revision: number, days: number) => `(${revision}, 0, '${new Date(Date.now() - days * 86_400_000).toISOString()}', 'me', 'delete', 'x')`
    await byHand(url, `insert into catalog_audit (revision, sequence, at, who, action, model_id) values ${entry(1, 31)}, ${entry(2, 29)}`)
    const store = await openStore(url, { auditDays: 30 })
    t.teardown(async () => await store.close())
    await byHand(url, 'update catalog_revision set number = 2')
    const revisions = async (reader = store) => (await reader.audit(10)).entries.map(({ revision }) => revision)
    t.same(await revisions(), [2], 'what is older is not shown')
    const patient = await openStore(url, { auditDays: 60 })
    t.teardown(async () => await patient.close())
    t.same(await revisions(patient), [2, 1], 'though it is still there')
    await store.change('me', () => [model('a')])
    t.same(await revisions(patient), [3, 2], 'and it goes with the next change')
    await byHand(url, `insert into catalog_audit (revision, sequence, at, who, action, model_id) values ${entry(0, 31)}`)
    t.equal((await store.audit(2)).more, false, 'it is no further page either')

    await byHand(url, `insert into catalog_audit (revision, sequence, at, who, action, model_id)
      with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 100500)
      select 4, n, '${new Date().toISOString()}', 'me', 'delete', 'x' from numbers`)
    await byHand(url, 'update catalog_revision set number = 4')
    const again = await openStore(url, { auditDays: 30 })
    t.teardown(async () => await again.close())
    await again.changeOne('me', 'a', known => known && { ...known, name: 'A' })
    const kept = await again.audit(1, { revision: 4, sequence: 503 })
    t.equal(kept.entries.length, 1)
    t.equal(kept.more, false, 'the newest 100,000 stay')
    await byHand(url, 'delete from catalog_audit where revision = 4')

    const long = 'x'.repeat(10_000)
    await again.change('me', () => Array.from({ length: 200 }, (_, index) => model(`long-${index}`, long)))
    const { entries, more } = await again.audit(200)
    t.ok(entries.length > 50 && entries.length < 150, `a page of long entries is shorter (${entries.length})`)
    t.equal(more, true)
    const rest = await again.audit(200, entries.at(-1))
    t.not(rest.entries[0]?.sequence, entries.at(-1)?.sequence, 'and the next one goes on behind it')

    await again.change('me', ([first, ...others]) => [...others, first as typeof others[0]])
    const [moved] = (await again.audit(1)).entries
    t.match(moved, { action: 'order', before: [{ id: 'long-0', behind: null }], after: [{ id: 'long-0', behind: 'long-199' }] })
    t.equal((moved?.after as unknown[]).length, 1, 'one of 200 moved')
  })
}
