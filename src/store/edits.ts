import { matchesStrongly, entityTag } from '../catalog/etag.ts'
import { MODEL_TYPES } from '../catalog/models.ts'
import { firstProblems, modelProblems, schemaProblems, type Problem } from '../catalog/problems.ts'
import { catalogFileProblems, modelsOf, type CatalogFile, type CatalogFileItem } from '../catalog/static.ts'
import { GatewayError } from '../errors.ts'
import { ModelReplacementSchema, type ModelReplacement, type NewModel } from './inputs.ts'
import type { ModelDraft, ModelRecord } from './records.ts'

/** Ids that the paths of the admin API have taken. */
const RESERVED = new Set(['order', 'export', 'import'])

/** The tag of a record, for `ETag` and `If-Match`. */
export function recordTag (record: ModelRecord): string {
  return entityTag(JSON.stringify(record))
}

/** @throws GatewayError that names the first field at fault and says what is wrong with each. */
export function refuse (problems: Problem[]): void {
  const [first] = problems
  if (first === undefined) return
  const message = problems.map(({ pointer, reason }) => `${pointer === '' ? 'The body' : pointer} ${reason}.`).join(' ')
  throw new GatewayError('invalid_value', { message, param: first.pointer })
}

/** The model of that id. @throws GatewayError where there is none. */
export function knownModel (records: readonly ModelRecord[], id: string): ModelRecord {
  const record = records.find(record => record.id === id)
  if (record === undefined) throw new GatewayError('model_not_found', { message: `The model '${id}' does not exist.`, param: 'id' })
  return record
}

/** Records with one more at the end of its type. */
export function withNew (records: ModelRecord[], { description = '', isActive = true, ...input }: NewModel): ModelDraft[] {
  if (RESERVED.has(input.id)) refuse([{ pointer: '/id', reason: `must not be ${[...RESERVED].join(', ')}: these are paths of this API` }])
  refuse([...modelProblems({ description, ...input })])
  if (records.some(({ id }) => id === input.id)) {
    throw new GatewayError('conflict', { message: `The model '${input.id}' exists already.`, param: '/id' })
  }
  return [...records, { description, isActive, ...input }]
}

/** Records with one replaced. */
export function withReplaced (records: ModelRecord[], id: string, input: ModelReplacement, ifMatch: string | undefined): ModelDraft[] {
  const record = current(records, id, ifMatch)
  return records.map(other => other === record ? replacement(record, input) : other)
}

/** Records with one patched, as RFC 7396 says. */
export function withPatched (records: ModelRecord[], id: string, patch: object, ifMatch: string | undefined): ModelDraft[] {
  const record = current(records, id, ifMatch)
  // Left out, `isActive` is true: to empty it would switch a model on.
  const merged = Object.fromEntries(Object.entries({ ...record, ...patch }).filter(([field, value]) => value !== null || field === 'isActive'))
  refuse(schemaProblems(ModelReplacementSchema, merged))
  return records.map(other => other === record ? replacement(record, merged as ModelReplacement) : other)
}

/** Records without one. */
export function without (records: ModelRecord[], id: string, ifMatch: string | undefined): ModelDraft[] {
  const record = current(records, id, ifMatch)
  return records.filter(other => other !== record)
}

/** Records with those named in their new order: they change places among themselves. */
export function withOrder (records: ModelRecord[], ids: readonly string[]): ModelDraft[] {
  const byId = new Map(records.map(record => [record.id, record]))
  refuse(firstProblems(orderProblems(ids, byId)))
  const moved = ids.map(id => byId.get(id) as ModelRecord)
  const named = new Set(ids)
  return records.map(record => named.has(record.id) ? moved.shift() as ModelRecord : record)
}

/** The catalog of a file instead of all records. */
export function withImported (records: ModelRecord[], file: unknown, ifMatch: string | undefined): ModelDraft[] {
  refuse(catalogFileProblems(file))
  for (const type of MODEL_TYPES) {
    const reserved = ((file as CatalogFile)[type] ?? []).findIndex(({ id }) => RESERVED.has(id))
    if (reserved !== -1) refuse([{ pointer: `/${type}/${reserved}/id`, reason: 'is a path of this API' }])
  }
  if (ifMatch !== undefined && !matchesStrongly(ifMatch, fileTag(exported(records)))) throw new GatewayError('precondition_failed')
  return modelsOf(file as CatalogFile)
}

/** All records as a catalog file. */
export function exported (records: readonly ModelRecord[]): Required<CatalogFile> {
  const of = (type: ModelRecord['type']): CatalogFileItem[] => records.filter(record => record.type === type)
    .map(({ id, name, description, provider, contextLength, isActive, createdAt }) => ({
      id,
      name,
      description,
      ...(provider !== undefined && { provider }),
      ...(contextLength !== undefined && { contextLength }),
      ...(!isActive && { isActive }),
      createdAt
    }))
  return { chat: of('chat'), image: of('image'), speech: of('speech') }
}

/** The tag of a catalog file. */
export function fileTag (file: CatalogFile): string {
  return entityTag(JSON.stringify(file))
}

function * orderProblems (ids: readonly string[], known: ReadonlyMap<string, unknown>): Generator<Problem> {
  const named = new Set<string>()
  for (const [index, id] of ids.entries()) {
    const pointer = `/${index}`
    if (!known.has(id)) yield { pointer, reason: `names the model '${id}', which does not exist` }
    else if (named.has(id)) yield { pointer, reason: `names the model '${id}' again` }
    named.add(id)
  }
}

function current (records: ModelRecord[], id: string, ifMatch: string | undefined): ModelRecord {
  const record = knownModel(records, id)
  if (ifMatch !== undefined && !matchesStrongly(ifMatch, recordTag(record))) throw new GatewayError('precondition_failed')
  return record
}

function replacement (record: ModelRecord, { description = '', isActive = true, createdAt, updatedAt, ...input }: ModelReplacement): ModelDraft {
  if (input.id !== undefined && input.id !== record.id) refuse([{ pointer: '/id', reason: 'cannot be changed' }])
  refuse([...modelProblems({ description, ...input })])
  return { description, isActive, ...input, id: record.id }
}
