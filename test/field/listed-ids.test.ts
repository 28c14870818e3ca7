// Services list ids that look like paths: vLLM started with a path, llama.cpp on
// Windows. Every id that the list shows can be retrieved, percent-encoded, under both
// prefixes; the two that cannot are left out.
import t from 'tap'
import { SKIPPED } from '../../src/catalog/reported.ts'
import { eventually, startGateway } from '../helper.ts'
import { startService } from './helper.ts'

const IDS = ['/root/models/X', '../models/x.gguf', './x', 'C:\\models\\x.gguf', 'org%2Fx', 'org/model', 'a//b', 'x y', 'ft:gpt-4o:org::1', 'ü', '100%', 'a?b#c', 'order', '..hidden', '...', 'a/../b', '%2e%2e', './', 'x/']
/** Every client removes these from a path. */
const NOT_ADDRESSABLE = ['.', '..']

t.test('every listed id can be retrieved', async t => {
  const service = await startService(t, () => ({ body: JSON.stringify({ object: 'list', data: [...NOT_ADDRESSABLE, ...IDS].map(id => ({ id, object: 'model', max_model_len: 4096 })) }) }))
  const { app, url } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, CATALOG_SOURCE: 'inference', CATALOG_SNAPSHOT_FILE: `${t.testdir()}/snapshot.json` })
  const list = async () => (await (await fetch(`${url}/v1/models`)).json() as { id: string }[]).map(({ id }) => id)
  let listed: string[] = []
  await eventually(() => {
    list().then(ids => { listed = ids })
    return listed.includes('/root/models/X')
  }, 5000)
  t.same(listed, IDS)
  for (const id of listed) {
    for (const prefix of ['/v1', '/openai/v1']) {
      const response = await fetch(`${url}${prefix}/models/${encodeURIComponent(id)}`)
      t.equal(response.status, 200, `${prefix} ${id}`)
      t.match(await response.json(), { id })
    }
  }
  t.match(app.catalog.status().skipped, { count: 2, reasons: { [SKIPPED.notAddressable]: 2 } })
  t.match(await (await fetch(`${url}/openai/v1/models//root/models/X`)).json(), { id: '/root/models/X' }, 'unencoded, as openai-python sends it')
})
