// Managing the catalog over HTTP, on both engines: what each route does, what it
// refuses and how it says so, and that every edit shows in the list at once.
import t, { type Test } from 'tap'
import { startApp, tempFile } from './catalog/helper.ts'
import { ENGINES } from './store/engines.ts'

const KEY = 'the-admin-key'
const WHO = 'admin-6fe4075f'

interface Answer { status: number, headers: Headers, json: any }

function client (url: string, key: string | undefined = KEY) {
  return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> => {
    const response = await fetch(url + path, {
      method,
      headers: { ...(key !== '' && { authorization: `Bearer ${key}` }), ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) })
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, json: text === '' ? undefined : JSON.parse(text) }
  }
}

const NEW = { id: 'org/model', name: 'Model', type: 'chat' }

for (const { engine, skip, freshUrl } of ENGINES) {
  t.test(engine, { skip }, async t => {
    const start = async (t: Test, environment: Record<string, string> = {}) => {
      const { url, app } = await startApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL: await freshUrl(t), ADMIN_API_KEY: KEY, ...environment })
      const call = client(url)
      const listed = async () => ((await call('GET', '/v1/models')).json as Array<{ id: string }>).map(({ id }) => id)
      return { url, app, call, listed }
    }

    t.test('a model\'s life: created, read, replaced, patched, switched off, removed', async t => {
      const { call, listed } = await start(t)
      const created = await call('POST', '/admin/models', NEW)
      t.equal(created.status, 201)
      t.equal(created.headers.get('location'), 'models/org%2Fmodel')
      t.equal(created.headers.get('cache-control'), 'no-store')
      t.same(Object.keys(created.json), ['id', 'name', 'description', 'type', 'isActive', 'createdAt', 'updatedAt'])
      t.match(created.json, { ...NEW, description: '', isActive: true })
      t.ok((await listed()).includes('org/model'), 'at once')
      for (const path of ['/admin/models/org/model', '/admin/models/org%2Fmodel']) {
        const read = await call('GET', path)
        t.same(read.json, created.json)
        t.equal(read.headers.get('etag'), created.headers.get('etag'))
      }

      const replaced = await call('PUT', '/admin/models/org/model', { ...created.json, description: 'Better', contextLength: 5, provider: 'P' })
      t.match(replaced, { status: 200, json: { description: 'Better', contextLength: 5, provider: 'P', createdAt: created.json.createdAt } })
      t.ok(replaced.json.updatedAt > created.json.updatedAt)
      t.not(replaced.headers.get('etag'), created.headers.get('etag'))
      t.same((await call('GET', '/v1/models/org/model')).json, { ...NEW, description: 'Better', provider: 'P', contextLength: 5, createdAt: created.json.createdAt })

      const patched = await call('PATCH', '/admin/models/org/model', { provider: null, name: 'Renamed' }, { 'content-type': 'application/merge-patch+json' })
      t.match(patched, { status: 200, json: { name: 'Renamed', description: 'Better', contextLength: 5 } })
      t.notOk('provider' in patched.json)

      t.equal((await call('PATCH', '/admin/models/org/model', { isActive: false })).json.isActive, false)
      t.notOk((await listed()).includes('org/model'))
      t.equal((await call('GET', '/v1/models/org/model')).status, 404)
      t.equal((await call('GET', '/admin/models/org/model')).status, 200, 'the admin still sees it')

      t.equal((await call('DELETE', '/admin/models/org/model')).status, 204)
      for (const method of ['GET', 'DELETE']) t.match(await call(method, '/admin/models/org/model'), { status: 404, json: { error: { code: 'model_not_found', param: 'id' } } })
      t.equal((await call('PUT', '/admin/models/org/model', NEW)).status, 404, 'PUT makes no models')
    })

    t.test('errors name the field', async t => {
      const { call } = await start(t)
      await call('POST', '/admin/models', NEW)
      type Refused = [method: string, path: string, body: unknown, status: number, param: string | null]
      const cursorOf = (place: unknown) => Buffer.from(JSON.stringify(place)).toString('base64url')
      const refused: Refused[] = [
        ['POST', '/admin/models', NEW, 409, '/id'],
        ['POST', '/admin/models', { id: 'x', type: 'chat' }, 400, '/name'],
        ['POST', '/admin/models', { ...NEW, id: '' }, 400, '/id'],
        ['POST', '/admin/models', { ...NEW, id: 'x'.repeat(101) }, 400, '/id'],
        ['POST', '/admin/models', { ...NEW, id: 'a\u0000b' }, 400, '/id'],
        ['POST', '/admin/models', { ...NEW, id: 'x', type: 'video' }, 400, '/type'],
        ['POST', '/admin/models', { ...NEW, id: 'x', contextLength: '4096' }, 400, '/contextLength'],
        ['POST', '/admin/models', { ...NEW, id: 'x', contextLength: 0 }, 400, '/contextLength'],
        ['POST', '/admin/models', { ...NEW, id: 'x', description: 'a\u0000' }, 400, '/description'],
        ['POST', '/admin/models', { ...NEW, id: 'x', isActive: 'yes' }, 400, '/isActive'],
        ['POST', '/admin/models', { ...NEW, id: 'x', 'a/b': 1 }, 400, '/a~1b'],
        ['POST', '/admin/models', [NEW], 400, ''],
        ['POST', '/admin/models', '{"id":', 400, null],
        ['POST', '/admin/models', '{"__proto__":{}}', 400, null],
        ['PUT', '/admin/models/org/model', { ...NEW, id: 'other' }, 400, '/id'],
        ['PUT', '/admin/models/org/model', { name: 'x' }, 400, '/type'],
        ['PATCH', '/admin/models/org/model', { name: null }, 400, '/name'],
        ['PATCH', '/admin/models/org/model', { isActive: null }, 400, '/isActive'],
        ['PATCH', '/admin/models/org/model', { id: 'other' }, 400, '/id'],
        ['PATCH', '/admin/models/org/model', { colour: 'red' }, 400, '/colour'],
        ['PATCH', '/admin/models/org/model', 'null', 400, ''],
        ['PUT', '/admin/catalog/order', ['sdxl', 'nobody'], 400, '/1'],
        ['PUT', '/admin/catalog/order', ['sdxl', 'flux-pro', 'sdxl'], 400, '/2'],
        ['PUT', '/admin/catalog/order', { ids: [] }, 400, ''],
        ['POST', '/admin/catalog/import', { chat: [{ id: 'a', name: 'A', description: '' }, { id: 'a', name: 'A', description: '' }] }, 400, '/chat/1/id'],
        ['POST', '/admin/catalog/import', { chat: [{ id: 'a', description: '' }] }, 400, '/chat/0/name'],
        ['POST', '/admin/catalog/import', { chat: [{ id: 'a', name: 'A', description: '', createdAt: '2025-99-99T99:99:99.999Z' }] }, 400, '/chat/0/createdAt'],
        ['POST', '/admin/catalog/import', { chat: [{ id: 'a', name: 'A', description: '', createdAt: '2025-05-01' }] }, 400, '/chat/0/createdAt'],
        ['POST', '/admin/models', { ...NEW, id: 'x', capabilities: { tools: 'yes' } }, 400, '/capabilities/tools'],
        ['PATCH', '/admin/models/org/model', { capabilities: { colour: true } }, 400, '/capabilities/colour'],
        ['POST', '/admin/models', '{"id":"x","name":"X","type":"chat","name":"Y"}', 400, null],
        ['POST', '/admin/models', '{"id":"x","name":"X","type":"chat","capabilities":{"tools":true,"to\\u006fls":false}}', 400, null],
        ['POST', '/admin/catalog/import', '{"chat":[],"image":[],"chat":[]}', 400, null],
        ['POST', '/admin/models', undefined, 400, ''],
        ['GET', '/admin/models?limit=0', undefined, 400, 'limit'],
        ['GET', '/admin/models?limit=many', undefined, 400, 'limit'],
        ['GET', '/admin/models?type=video', undefined, 400, 'type'],
        ['GET', '/admin/models?active=perhaps', undefined, 400, 'active'],
        ['GET', '/admin/models?cursor=zzz', undefined, 400, 'cursor'],
        ...[[], [1, 2], [0, 1, 2], ['0', 1, 'a'], [0, null, 'a']].map(place => ['GET', `/admin/models?cursor=${cursorOf(place)}`, undefined, 400, 'cursor'] as Refused),
        ['GET', '/admin/audit?cursor=W10zzz', undefined, 400, 'cursor'],
        ...[[], [1], [1, 2, 3], ['abc', 'x'], ['1', '2'], [1.5, 2], [1, -1], [1e300, 0], [1, 2 ** 31], null, {}].map(place => ['GET', `/admin/audit?cursor=${cursorOf(place)}`, undefined, 400, 'cursor'] as Refused)
      ]
      for (const [method, path, body, status, param] of refused) {
        const answer = await call(method, path, body)
        t.match([answer.status, answer.json?.error?.param], [status, param], `${method} ${path} ${JSON.stringify(body)}`)
        t.type(answer.json?.error?.message, 'string')
      }
      t.match(await call('POST', '/admin/models', 'x', { 'content-type': 'text/plain' }), { status: 415, json: { error: { message: 'This route takes a body of Content-Type application/json.' } } })
      t.match(await call('PATCH', '/admin/models/org/model', 'x', { 'content-type': 'text/plain' }), { status: 415, json: { error: { message: 'This route takes a body of Content-Type application/merge-patch+json or application/json.' } } })
      t.match(await call('POST', '/admin/models', '[\u0000', {}), { status: 400, json: { error: { code: 'invalid_json', message: 'The request body is not in UTF-8.' } } })
      const latin1 = Buffer.from('{"id":"café","name":"Café","type":"chat"}', 'latin1')
      t.match(await call('POST', '/admin/models', latin1), { status: 400, json: { error: { code: 'invalid_json', message: 'The request body is not in UTF-8.' } } })
      t.equal((await call('GET', '/admin/audit')).json.data.filter(({ who }: { who: string }) => who !== 'start').length, 1, 'nothing of it was written')
    })

    t.test('half a surrogate pair is refused before anything is written', async t => {
      const { call } = await start(t)
      const before = (await call('GET', '/admin/models')).json
      for (const [field, text] of [['id', 'a\ud800'], ['name', '\udc00a'], ['description', '\ud83d \ude00'], ['provider', '\ud800']] as const) {
        const body = { ...NEW, id: 'sdxl', [field]: text }
        const refused = { status: 400, json: { error: { code: 'invalid_value', param: `/${field}` } } }
        t.match(await call('POST', '/admin/models', { ...body, id: field === 'id' ? text : 'new' }), refused)
        t.match(await call('PUT', '/admin/models/sdxl', body), refused)
        t.match(await call('PATCH', '/admin/models/sdxl', { [field]: text }), refused)
        t.match(await call('POST', '/admin/catalog/import', { chat: [{ id: 'new', name: 'New', description: '', [field]: text }] }), { status: 400, json: { error: { param: `/chat/0/${field}` } } })
      }
      t.same((await call('GET', '/admin/models')).json, before)
      t.match(await call('POST', '/admin/models', { ...NEW, id: '😀', name: '😀' }), { status: 201, json: { id: '😀', name: '😀' } })
    })

    t.test('an id has a path: percent-encoded', async t => {
      const { call } = await start(t)
      for (const id of ['a/', '...', 'a..b', '.a/b', '50%', '%', 'x%4', 'a?b#c', 'é ü', '模'.repeat(100), '__proto__']) {
        t.equal((await call('POST', '/admin/models', { ...NEW, id })).status, 201, id)
        for (const path of ['/v1/models', '/admin/models']) t.equal((await call('GET', `${path}/${encodeURIComponent(id)}`)).json.id, id)
        t.equal((await call('DELETE', `/admin/models/${encodeURIComponent(id)}`)).status, 204, id)
      }
    })

    t.test('a body of very many mistakes gets a short answer', async t => {
      const { call } = await start(t)
      for (const [method, path, body] of [['POST', '/admin/catalog/import', `{"chat":[${'0,'.repeat(9000)}0]}`], ['PUT', '/admin/catalog/order', `[${'"x",'.repeat(200_000)}"x"]`], ['PUT', '/admin/catalog/order', `[${'"sdxl",'.repeat(100_000)}"sdxl"]`]] as const) {
        const answer = await call(method, path, body)
        t.match(answer, { status: 400, json: { error: { code: 'invalid_value', message: / The body has more problems\.$/ } } })
        t.ok(answer.json.error.message.length < 2000)
      }
      t.match(await call('POST', '/admin/catalog/import', `{"chat":[${'0,'.repeat(400_000)}0]}`), { status: 400, json: { error: { message: 'The body must have at most 10000 models.' } } })
    })

    t.test('who edits what another has changed meanwhile is told', async t => {
      const { call } = await start(t)
      const { headers: { etag }, json } = await (async () => {
        const { headers, json } = await call('GET', '/admin/models/sdxl')
        return { headers: { etag: headers.get('etag') as string }, json }
      })()
      t.equal((await call('PATCH', '/admin/models/sdxl', { name: 'One' }, { 'if-match': etag })).status, 200)
      for (const stale of [etag, `W/${etag}`, '"x"']) {
        t.match(await call('PUT', '/admin/models/sdxl', json, { 'if-match': stale }), { status: 412, json: { error: { code: 'precondition_failed' } } })
        t.equal((await call('PATCH', '/admin/models/sdxl', { name: 'Two' }, { 'if-match': stale })).status, 412)
        t.equal((await call('DELETE', '/admin/models/sdxl', undefined, { 'if-match': stale })).status, 412)
      }
      const fresh = (await call('GET', '/admin/models/sdxl')).headers.get('etag') as string
      t.equal((await call('PATCH', '/admin/models/sdxl', { name: 'Two' }, { 'if-match': `W/${fresh}` })).status, 412, 'If-Match compares strongly')
      t.equal((await call('PATCH', '/admin/models/sdxl', { name: 'Three' }, { 'if-match': `"x", ${fresh}` })).status, 200)
      t.equal((await call('PATCH', '/admin/models/sdxl', { name: 'Stable Diffusion XL' }, { 'if-match': '*' })).status, 200)
      t.not((await call('GET', '/admin/models/sdxl')).headers.get('etag'), etag, 'a record that looks as before is still another')
      const tag = (await call('GET', '/admin/models/sdxl')).headers.get('etag') as string
      const answers = await Promise.all(['a', 'b', 'c', 'd'].map(async name => (await call('PATCH', '/admin/models/sdxl', { name }, { 'if-match': tag })).status))
      t.same(answers.toSorted(), [200, 412, 412, 412], 'one of several wins')
    })

    t.test('an edit shows with the next request, also right after one by another gateway', async t => {
      const DATABASE_URL = await freshUrl(t)
      const [here, there] = [await start(t, { DATABASE_URL }), await start(t, { DATABASE_URL })]
      for (const round of [1, 2, 3]) {
        t.equal((await there.call('POST', '/admin/models', { ...NEW, id: `there-${round}` })).status, 201)
        t.equal((await here.call('POST', '/admin/models', { ...NEW, id: `here-${round}` })).status, 201)
        const ids = await here.listed()
        t.ok(ids.includes(`here-${round}`) && ids.includes(`there-${round}`), 'both edits')
      }
      t.equal((await there.call('PATCH', '/admin/models/here-1', { isActive: false })).status, 200)
      t.equal((await here.call('DELETE', '/admin/models/here-2')).status, 204)
      t.notOk((await here.listed()).some(id => ['here-1', 'here-2'].includes(id)))
    })

    t.test('order: the models named change places among themselves', async t => {
      const { call, listed } = await start(t)
      const ids = await call('PUT', '/admin/catalog/order', ['flux-pro', 'sdxl'])
      t.same(ids.json.slice(3), ['flux-pro', 'sdxl-lightning', 'flux-schnell', 'sdxl'])
      t.same(await listed(), ids.json)
      const all = ids.json.toReversed()
      t.equal((await call('PUT', '/admin/catalog/order', all)).status, 200)
      t.same(await listed(), ['gemini-1.5-flash', 'gemini-1.5-pro', 'gemini-2.5-flash-preview-04-17', 'sdxl', 'flux-schnell', 'sdxl-lightning', 'flux-pro'])
    })

    t.test('export and import: the identity, here and elsewhere', async t => {
      const { call, listed } = await start(t)
      await call('POST', '/admin/models', { ...NEW, isActive: false, contextLength: 7 })
      await call('POST', '/admin/models', { ...NEW, id: 'voice', type: 'speech', provider: 'V', description: 'naïve ☃' })
      await call('PUT', '/admin/catalog/order', ['flux-pro', 'sdxl'])
      const before = (await call('GET', '/admin/models?limit=200')).json
      const exported = await call('GET', '/admin/catalog/export')
      const audit = (await call('GET', '/admin/audit?limit=200')).json
      t.same((await call('POST', '/admin/catalog/import', exported.json)).json, { created: 0, updated: 0, deleted: 0, unchanged: 9 })
      t.same((await call('GET', '/admin/models?limit=200')).json, before, 'not even a date moves')
      t.same((await call('GET', '/admin/audit?limit=200')).json, audit)

      const elsewhere = await start(t)
      t.match((await elsewhere.call('POST', '/admin/catalog/import', exported.json)).json, { created: 2, deleted: 0 })
      t.same((await elsewhere.call('GET', '/admin/catalog/export')).json, exported.json)
      t.same(await elsewhere.listed(), await listed())
      const asFile = await startApp(t, { CATALOG_FILE: tempFile(t, JSON.stringify(exported.json)) })
      t.same((await client(asFile.url)('GET', '/v1/models')).json, (await call('GET', '/v1/models')).json, 'and it is a catalog file')

      t.same((await call('POST', '/admin/catalog/import', { chat: [{ id: 'only', name: 'Only', description: '' }] })).json, { created: 1, updated: 0, deleted: 9, unchanged: 0 })
      t.same(await listed(), ['only'])
      t.equal((await call('POST', '/admin/catalog/import', exported.json, { 'if-match': exported.headers.get('etag') as string })).status, 412)
      t.same(await listed(), ['only'])
    })

    t.test('a large catalog that was exported can be imported', async t => {
      const { call } = await start(t)
      const chat = Array.from({ length: 4000 }, (_, index) => ({ id: `org/model-${index}`, name: `Model ${index}`, description: 'x'.repeat(1450) }))
      t.match(await call('POST', '/admin/catalog/import', { chat }), { status: 200, json: { created: 4000 } })
      const exported = (await call('GET', '/admin/catalog/export')).json
      t.ok(JSON.stringify(exported).length > 5_400_000)
      t.match(await call('POST', '/admin/catalog/import', exported), { status: 200, json: { created: 0, updated: 0, deleted: 0, unchanged: 4000 } })
    })

    t.test('lists are searched, filtered and paged', async t => {
      const { call } = await start(t)
      await call('PATCH', '/admin/models/sdxl', { isActive: false })
      const ids = async (query: string) => (await call('GET', `/admin/models?${query}`)).json.data.map(({ id }: { id: string }) => id)
      t.same(await ids('q=STABILITY'), ['sdxl', 'sdxl-lightning'])
      t.same(await ids('q=fast&type=image&active=true'), ['sdxl-lightning', 'flux-schnell'])
      t.same(await ids('active=false'), ['sdxl'])
      t.same(await ids('q=%25'), [], 'a search is for text, not for a pattern')
      const pages = async (between: (last: string) => Promise<unknown>) => {
        const seen: string[] = []
        let cursor: string | null = ''
        while (cursor !== null) {
          const { json } = await call('GET', `/admin/models?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`)
          seen.push(...json.data.map(({ id }: { id: string }) => id))
          cursor = json.next
          await between(seen.at(-1) as string)
        }
        return seen
      }
      const all = ['gemini-2.5-flash-preview-04-17', 'gemini-1.5-pro', 'gemini-1.5-flash', 'sdxl', 'sdxl-lightning', 'flux-schnell', 'flux-pro']
      t.same(await pages(async () => {}), all)
      t.same(await pages(async last => await call('DELETE', `/admin/models/${last}`)), all, 'none twice, none left out, though some go in between')
    })

    t.test('the audit tells who, what and when', async t => {
      const { call } = await start(t)
      const created = (await call('POST', '/admin/models', NEW)).json
      const patched = (await call('PATCH', '/admin/models/org/model', { isActive: false })).json
      await call('DELETE', '/admin/models/org/model')
      const { data, next } = (await call('GET', '/admin/audit?limit=3')).json
      t.same(data.map(({ who, action, modelId, before, after }: Record<string, unknown>) => ({ who, action, modelId, before, after })), [
        { who: WHO, action: 'delete', modelId: 'org/model', before: patched, after: null },
        { who: WHO, action: 'update', modelId: 'org/model', before: created, after: patched },
        { who: WHO, action: 'create', modelId: 'org/model', before: null, after: created }
      ])
      t.ok(Math.abs(Date.parse(data[0].at) - Date.now()) < 60_000)
      t.notMatch(JSON.stringify(data), KEY)
      const rest = (await call('GET', `/admin/audit?limit=200&cursor=${next}`)).json
      t.equal(rest.data.length, 7)
      t.equal(rest.next, null)
    })

    t.test('how the catalog fares', async t => {
      const { call } = await start(t)
      const expected = { source: 'database', origin: 'database', editable: true, count: 7, lastError: null, nextTry: null }
      t.match((await call('GET', '/admin/catalog')).json, expected)
      t.match(await call('POST', '/admin/catalog/refresh'), { status: 200, json: { ...expected, age: 0 } })
    })
  })
}

t.test('the admin\'s key, and no other', async t => {
  for (const key of ['', 'user-key', `${KEY}x`, KEY.slice(1)]) {
    // One for each: more than ten wrong keys in a minute are a 429.
    const { url } = await startApp(t, { ADMIN_API_KEY: KEY, API_KEYS: 'user-key' })
    for (const [method, path] of [['GET', '/admin/models'], ['GET', '/admin/catalog'], ['POST', '/admin/models'], ['DELETE', '/admin/models/sdxl'], ['GET', '/admin/audit'], ['GET', '/admin/catalog/export']] as const) {
      const answer = await client(url, key)(method, path)
      t.match(answer, { status: 401, json: { error: { code: 'invalid_api_key' } } }, `${method} ${path} with '${key}'`)
      t.equal(answer.headers.get('www-authenticate'), 'Bearer')
    }
    t.equal((await client(url)('GET', '/admin/catalog')).status, 200)
  }
})

t.test('without a key there is no administration', async t => {
  const { url } = await startApp(t)
  for (const path of ['/admin/models', '/admin/models/sdxl', '/admin/catalog', '/admin/audit']) t.match(await client(url)('GET', path), { status: 404, json: { error: { code: 'not_found' } } })
})

t.test('a source that cannot be edited shows itself and says so', async t => {
  for (const environment of [{}, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL: 'http://127.0.0.1:1' }]) {
    const { url } = await startApp(t, { ADMIN_API_KEY: KEY, ...environment })
    const call = client(url)
    t.match((await call('GET', '/admin/catalog')).json, { editable: false, count: 7 })
    t.equal((await call('GET', '/admin/models')).json.data.length, 7)
    t.match((await call('GET', '/admin/models/sdxl')).json, { id: 'sdxl', isActive: true, createdAt: '2025-05-01T00:00:00.000Z', updatedAt: '2025-05-01T00:00:00.000Z' })
    t.equal((await call('GET', '/admin/catalog/export')).json.image.length, 4)
    t.same((await call('GET', '/admin/audit')).json, { data: [], next: null })
    for (const [method, path, body] of [['POST', '/admin/models', NEW], ['PATCH', '/admin/models/sdxl', {}], ['DELETE', '/admin/models/sdxl', undefined], ['PUT', '/admin/catalog/order', []], ['POST', '/admin/catalog/import', {}]] as const) {
      t.match(await call(method, path, body), { status: 409, json: { error: { code: 'conflict', message: /^The catalog's source \((static|inference)\) cannot be edited\. .*CATALOG_SOURCE=database/ } } })
    }
  }
})
