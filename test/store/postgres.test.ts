// PostgreSQL that goes away: a query on a connection that fell silent fails in
// bounded time and the pool recovers; a listener whose connection is cut comes
// back and hears of what it missed.
import t from 'tap'
import { openStore } from '../../src/store/store.ts'
import { cutConnections, freshPostgres, postgresMissing, wired } from './engines.ts'

const skip = await postgresMissing()
const model = (id: string) => ({ id, name: id, description: '', type: 'chat' as const, isActive: true })

t.test('a server that falls silent', { skip }, async t => {
  const { url, silence } = await wired(t, await freshPostgres(t))
  const store = await openStore(url)
  t.teardown(async () => await store.close())
  await store.prepare([model('a')])
  silence(true)
  const start = performance.now()
  // More than the pool has connections.
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, async () => await store.contents()))
  t.ok(performance.now() - start < 8000, 'in bounded time')
  for (const outcome of outcomes) t.match(outcome, { status: 'rejected', reason: { name: 'StoreFailure', kind: /^(unreachable|lost)$/ } })
  silence(false)
  t.equal((await store.contents()).placed.length, 1, 'the dead connection is not used again')
})

t.test('pooled connections that died while idle: the next edit gets through', { skip }, async t => {
  const url = await freshPostgres(t)
  const wire = await wired(t, url)
  const store = await openStore(wire.url)
  t.teardown(async () => await store.close())
  await store.prepare([])
  for (let round = 0; round < 5; round++) {
    await Promise.all([1, 2, 3, 4].map(async () => await store.contents()))
    // Not a turn of the event loop in which the pool could notice.
    const cut = wire.cut()
    const edit = store.change('ann', models => [...models, model(`m${round}`)])
    await cut
    await wire.mend()
    const outcome = await edit.catch((error: NodeJS.ErrnoException) => error.code)
    t.ok(Array.isArray(outcome) || outcome === 'ECONNREFUSED', String(outcome))
  }
})

t.test('connections that are cut: the next query works, the listener hears what it missed', { skip }, async t => {
  const url = await freshPostgres(t)
  const [writer, reader] = [await openStore(url), await openStore(url)]
  t.teardown(async () => { await writer.close(); await reader.close() })
  await writer.prepare([])
  const seen: number[] = []
  const stop = reader.watch(revision => { seen.push(revision) }, () => {})
  t.teardown(stop)
  const reaches = async (revision: number) => { while (seen.at(-1) !== revision) await new Promise(resolve => setTimeout(resolve, 5)) }
  await reaches(0)
  // The server cuts when it comes to it: that may be in mid-change, which fails.
  const add = async (round: number): Promise<unknown> => await writer.change('ann', models => models.length === round ? models : [...models, model(`m${round}`)]).catch(async () => await add(round))
  for (let round = 1; round <= 3; round++) {
    t.ok(await cutConnections(url, 'model-gateway%') > 0)
    await add(round)
    await reaches(round)
  }
  const start = performance.now()
  await writer.change('ann', () => [])
  await reaches(4)
  t.ok(performance.now() - start < 1000, 'and notices come at once again')
})
