// What a frontend gets that generates its client from the document: the models'
// types by name, functions for the routes, and a client that works.
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { createClient } from '@hey-api/openapi-ts'
import { test } from 'tap'
import ts from 'typescript'
import { OPENAPI_FILE } from '../../scripts/openapi.ts'
import { startPair } from '../clients.ts'

/** As an application's own code: it compiles only where the names are there and mean what they say. */
const USE = `
import { createChatCompletion, getModel, listModels, type ChatModel, type Error, type MediaModel, type Model, type ModelRecord, type ModelType, type NewModel } from './generated/index.js'

export async function use (baseUrl: string) {
  const type: ModelType = 'chat'
  const { data = [] } = await listModels({ baseUrl, query: { type } })
  const models: Array<ChatModel | MediaModel> = data
  const chat = models.filter((model): model is ChatModel => 'contextLength' in model)
  const lengths: number[] = chat.map(model => model.contextLength)
  const { data: model } = await getModel({ baseUrl, path: { id: chat[0]!.id } })
  const record: Model | undefined = model
  const { error } = await getModel({ baseUrl, path: { id: 'no/such' } })
  const code: string | null | undefined = (error as Error | undefined)?.error.code
  const { data: answer } = await createChatCompletion({ baseUrl, body: { messages: [{ role: 'user', content: 'Hello' }] } })
  return { lengths, record, code, text: answer?.choices[0]?.message?.content }
}

export const media: MediaModel = { id: 'a', name: 'A', description: '', provider: 'B' }
export const added: NewModel = { id: 'a', name: 'A', type: 'chat' }
export const isActive = (record: ModelRecord): boolean => record.isActive
// @ts-expect-error an image model has no context length
export const length = media.contextLength
// @ts-expect-error there is no such type
export const wrong: ModelType = 'video'
`

test('@hey-api/openapi-ts: the models\' types have names, and the client works', async t => {
  const directory = t.testdir({ 'use.ts': USE })
  const document = `${directory}/openapi.json`
  const { url } = (await startPair(t, { ADMIN_API_KEY: 'admin' })).gateway
  writeFileSync(document, await (await fetch(`${url}/openapi.json`)).text())
  await createClient({
    input: document,
    output: `${directory}/generated`,
    plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
    logs: { level: 'silent', file: false }
  })

  const program = ts.createProgram([`${directory}/use.ts`], {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: [],
    module: ts.ModuleKind.NodeNext,
    strict: true,
    skipLibCheck: true,
    noUncheckedIndexedAccess: true,
    outDir: `${directory}/built`
  })
  t.strictSame(ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')), [])
  program.emit()
  const { use } = await import(pathToFileURL(`${directory}/built/use.js`).href)
  const { lengths, record, code, text } = await use(url)
  t.ok(lengths.length > 0 && lengths.every(Number.isInteger))
  t.match(record, { type: 'chat', contextLength: lengths[0] })
  t.equal(code, 'model_not_found')
  t.match(text, 'model gemini-1.5-flash.')
})

test('every schema that has a name of its own is a component', async t => {
  const { default: { paths, components } } = await import(OPENAPI_FILE.href, { with: { type: 'json' } })
  for (const name of ['ChatModel', 'MediaModel', 'Model', 'ModelList', 'ModelType', 'Capabilities', 'OpenAIModel', 'OpenAIModelList', 'ModelRecord', 'ModelPage', 'NewModel', 'ModelReplacement', 'ModelPatch', 'AuditEntry', 'CatalogStatus', 'ImportResult']) {
    t.equal(components.schemas[name]?.title, undefined, name)
    t.match(components.schemas[name], {}, name)
  }
  t.notMatch(JSON.stringify(paths), '"title"', 'none is left in place')
  t.strictSame(components.schemas.ModelList.items.anyOf, [{ $ref: '#/components/schemas/ChatModel' }, { $ref: '#/components/schemas/MediaModel' }])
  t.strictSame(components.schemas.Model.properties.capabilities, { $ref: '#/components/schemas/Capabilities' })
})
