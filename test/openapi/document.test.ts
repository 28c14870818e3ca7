// The OpenAPI document: true to the routes, valid, and the one that is committed.
import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { test } from 'tap'
import { OPENAPI_FILE, openapiDocument } from '../../scripts/openapi.ts'
import { ENDPOINTS } from '../../src/proxy/endpoints.ts'
import { startPair } from '../clients.ts'
import { startGateway } from '../helper.ts'

const text = await openapiDocument()
const document = JSON.parse(text)
const operations = Object.entries<Record<string, any>>(document.paths).flatMap(([path, methods]) => Object.entries<any>(methods).map(([method, operation]) => ({ path, method, operation })))

test('the committed document is the current one', async t => {
  t.equal(readFileSync(OPENAPI_FILE, 'utf8'), text, 'run `npm run openapi`, and commit openapi/openapi.json')
})

test('a public validator takes it, as OpenAPI 3.1', async t => {
  const { valid, errors } = await new Validator().validate(structuredClone(document))
  t.ok(valid, JSON.stringify(errors))
  t.equal(document.openapi, '3.1.0')
  const broken = await new Validator().validate({ ...structuredClone(document), paths: { '/': { get: { responses: [] } } } })
  t.notOk(broken.valid, 'it can say no')
})

test('every route has its real path, below both prefixes', async t => {
  const expected = ['get /healthz', 'get /readyz', 'get /openapi.json']
  for (const prefix of ['/v1', '/openai/v1']) {
    expected.push(`get ${prefix}/models`, `get ${prefix}/models/{id}`)
    for (const { path, methods } of ENDPOINTS) expected.push(...methods.map(method => `${method.toLowerCase()} ${prefix}/${path.replace(/:(\w+)/g, '{$1}')}`))
  }
  const shown = operations.map(({ path, method }) => `${method} ${path}`)
  t.strictSame(shown.filter(route => !route.includes('/admin')).sort(), expected.sort())
  t.notMatch(shown.join(), /\*/)
})

test('every documented route is there', async t => {
  const { gateway } = await startPair(t, { ADMIN_API_KEY: 'admin' })
  for (const { path, method } of operations) {
    const post = method !== 'get'
    const response = await fetch(gateway.url + path.replace(/\{\w+\}/g, 'gemini-1.5-flash'), { method: method.toUpperCase(), ...(post && { body: '{}', headers: { 'content-type': 'application/json' } }) })
    const body = await response.text()
    t.notMatch(body, /"code":"(not_found|method_not_allowed)"/, `${method} ${path}: ${response.status}`)
  }
})

test('every operation has an id of its own, a declared tag, a summary, and the error schema', async t => {
  const ids = operations.map(({ operation }) => operation.operationId)
  t.equal(new Set(ids).size, ids.length)
  const tags = new Set(document.tags.map((tag: { name: string }) => tag.name))
  for (const { path, operation } of operations) {
    t.match(operation.operationId, /^[a-z]\w+$/, path)
    t.ok(operation.summary, path)
    t.ok(operation.tags.length > 0 && operation.tags.every((tag: string) => tags.has(tag)), path)
    t.strictSame(operation.responses.default, { $ref: '#/components/responses/Error' }, path)
    for (const [status, { content }] of Object.entries<any>(operation.responses)) {
      if (status >= '400' && content !== undefined) t.strictSame(content['application/json'], { schema: { $ref: '#/components/schemas/Error' } }, `${path} ${status}`)
    }
  }
  t.strictSame(document.components.schemas.Error.required, ['error'])
  t.notMatch(text, '"$id"')
})

test('every reference leads somewhere', async t => {
  for (const [, pointer] of text.matchAll(/"\$ref": "#\/([^"]+)"/g)) {
    const found = pointer!.split('/').reduce((part, key) => part?.[key.replaceAll('~1', '/')], document)
    t.ok(found, pointer!)
  }
})

test('the wildcard of a model id is a parameter named id', async t => {
  const [parameter, ...others] = document.paths['/v1/models/{id}'].get.parameters
  t.match(parameter, { name: 'id', in: 'path', required: true })
  t.strictSame(others, [])
})

test('request bodies: described, open, with examples that name no model', async t => {
  const { gateway, standIn } = await startPair(t)
  for (const { path, modelType } of ENDPOINTS.filter(({ scanned }) => scanned)) {
    const { content } = document.paths[`/v1/${path}`].post.requestBody
    const media = content['multipart/form-data'] ?? content['application/json']
    const schema = document.components.schemas[media.schema.$ref.split('/').at(-1)]
    t.equal(schema.additionalProperties, true, path)
    t.ok(schema.properties.model.description, path)
    t.equal(schema.required.includes('model'), modelType === undefined, `${path}: a model is needed only where there is no default`)
    if (media.examples === undefined) continue
    const examples = Object.values<{ value: object }>(media.examples)
    t.ok(examples.length > 0, path)
    for (const { value } of examples) {
      t.notOk('model' in value, path)
      const response = await fetch(`${gateway.url}/v1/${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) })
      await response.arrayBuffer()
      const { body: received } = standIn.requests.at(-1)!
      const { model, ...rest } = JSON.parse(received.toString())
      t.strictSame(rest, value, `${path}: the example reaches the inference service`)
    }
  }
})

test('an operator\'s own paths are shown too', async t => {
  const { url } = await startGateway(t, { PROXY_EXTRA_PATHS: 'score,v2/rerank' })
  const response = await fetch(`${url}/openapi.json`)
  t.match(response.headers.get('content-type'), 'application/json')
  const shown: any = await response.json()
  for (const path of ['/v1/score', '/openai/v1/v2/rerank']) t.strictSame(Object.keys(shown.paths[path]).sort(), ['delete', 'get', 'patch', 'post', 'put'])
  t.ok((await new Validator().validate(shown)).valid)
})

test('without an admin key there are no admin routes to show', async t => {
  const { url } = await startGateway(t, {})
  const shown: any = await (await fetch(`${url}/openapi.json`)).json()
  t.notMatch(Object.keys(shown.paths).join(), '/admin')
})
