// Three gateways on one PostgreSQL: an edit on one shows on the others within a
// second, also after their connections were cut, and within five where no
// notice comes.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { cutConnections, freshPostgres, postgresMissing } from '../store/engines.ts'
import { tempDir } from './helper.ts'

t.test('three processes', { skip: await postgresMissing() }, async t => {
  const database = await freshPostgres(t)
  const dir = tempDir(t)
  const replicas = await Promise.all([1, 2, 3].map(async number => {
    const child = fork(new URL('replica.ts', import.meta.url), {
      env: { ...process.env, CATALOG_SOURCE: 'database', DATABASE_URL: database, CATALOG_SNAPSHOT_FILE: join(dir, `${number}.json`) }
    })
    t.teardown(() => child.kill('SIGKILL'))
    const [{ url }] = await once(child, 'message') as [{ url: string }]
    return { child, url }
  }))
  const add = async (child: ChildProcess, id: string) => {
    child.send(id)
    await once(child, 'message')
  }
  const ids = async (url: string) => (await (await fetch(`${url}/v1/models`)).json() as Array<{ id: string }>).map(({ id }) => id)
  /** Milliseconds until every replica satisfies the question. */
  const until = async (question: (ids: string[]) => boolean) => {
    const start = performance.now()
    await Promise.all(replicas.map(async ({ url }) => { while (!question(await ids(url))) await delay(5) }))
    return performance.now() - start
  }
  const [one, two, three] = replicas as [typeof replicas[0], typeof replicas[0], typeof replicas[0]]

  t.ok(await until(ids => ids.length === 7) < 1000, 'filled once')
  await add(one.child, 'first')
  const first = await until(ids => ids.includes('first'))
  t.ok(first < 1000, `an edit shows everywhere within a second (${Math.round(first)} ms)`)

  t.ok(await cutConnections(database) >= 3, 'connections are cut')
  await add(two.child, 'second')
  const second = await until(ids => ids.includes('second'))
  t.ok(second < 1000, `an edit while listeners reconnect (${Math.round(second)} ms)`)

  await delay(1000)
  await add(three.child, 'third')
  const third = await until(ids => ids.includes('third'))
  t.ok(third < 1000, `an edit after they came back (${Math.round(third)} ms)`)

  const client = new pg.Client(database)
  await client.connect()
  await client.query('begin; delete from models where id = \'first\'; update catalog_revision set number = number + 1; commit')
  await client.end()
  const poll = await until(ids => !ids.includes('first'))
  t.ok(poll < 5000, `an edit without a notice (${Math.round(poll)} ms)`)
})
