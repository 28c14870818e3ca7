import { matchesStrongly, entityTag } from '../catalog/etag.ts'
import { CURATED_FIELDS, MODEL_TYPES, type CuratedField, type CuratedModel } from '../catalog/models.ts'
import { firstProblems, modelProblems, schemaProblems, type Problem } from '../catalog/problems.ts'
import { modelsOf, type CatalogFile, type CatalogFileItem } from '../catalog/static.ts'
import { GatewayError } from '../errors.ts'
import { ModelReplacementSchema, type ModelReplacement, type NewModel } from './inputs.ts'
import type { ModelDraft, ModelRecord } from './records.ts'
import { isSet, type AdminModel } from './view.ts'

/**
 * How edits apply to a source. If the table is the only source, an emptied field is
 * empty. If an inference service is the source, an emptied field shows the
 * service's value again.
 */
export interface Rules {
  joined: boolean
}

const TAG_FIELDS = ['id', ...CURATED_FIELDS, 'createdAt', 'updatedAt'] as const

/** The tag of a record, for `ETag` and `If-Match`. */
export function recordTag (record: ModelRecord): string {
  return entityTag(JSON.stringify(TAG_FIELDS.map(field => record[field] ?? null)))
}

/** @throws GatewayError that names the first invalid field and describes every problem. */
export function refuse (problems: Problem[]): void {
  const [first] = problems
  if (first === undefined) return
  const message = problems.map(({ pointer, reason }) => `${pointer === '' ? 'The body' : pointer} ${reason}.`).join(' ')
  throw new GatewayError('invalid_value', { message, param: first.pointer })
}

/** @throws GatewayError where there is no such model. */
export function knownModel (model: AdminModel | undefined, id: string): AdminModel {
  if (model === undefined) throw new GatewayError('model_not_found', { message: `The model '${id}' does not exist.`, param: 'id' })
  return model
}

/** @throws GatewayError precondition_failed where `If-Match` does not match the model's present tag. */
function checkMatch (ifMatch: string | undefined, tag: () => string): void {
  if (ifMatch !== undefined && !matchesStrongly(ifMatch, tag())) throw new GatewayError('precondition_failed')
}

/** A new model. The fields in the input count as set by an admin. */
export function created (model: AdminModel | undefined, { description = '', isActive = true, ...input }: NewModel, given: NewModel): ModelDraft {
  refuse([...modelProblems({ description, ...input })])
  if (model?.known !== undefined) throw new GatewayError('conflict', { message: `The model '${input.id}' exists already.`, param: '/id' })
  if (model !== undefined) throw new GatewayError('conflict', { message: `The model '${input.id}' is listed by the inference service. Change its fields with PATCH.`, param: '/id' })
  return { description, isActive, ...input, set: CURATED_FIELDS.filter(field => given[field] !== undefined) }
}

/** A model with all of its fields replaced. */
export function replaced (model: AdminModel, input: ModelReplacement, rules: Rules, ifMatch: string | undefined): ModelDraft {
  checkMatch(ifMatch, () => recordTag(model.record))
  checkId(model, input.id)
  refuse([...modelProblems(input)])
  return draftOf(model, fieldsOf(input), rules)
}

/** A model with some fields changed by a JSON Merge Patch (RFC 7396). Fields in the patch count as set, emptied ones do not. */
export function patched (model: AdminModel, patch: object, rules: Rules, ifMatch: string | undefined): ModelDraft {
  checkMatch(ifMatch, () => recordTag(model.record))
  const { id, createdAt, updatedAt, set: _, ...record } = model.record
  const merged = mergePatch(record, patch) as Record<string, unknown>
  // An absent `isActive` means true, so emptying it would activate the model.
  if ((patch as { isActive?: unknown }).isActive === null) merged['isActive'] = null
  if (rules.joined) for (const [field, value] of Object.entries({ name: id, type: record.type })) merged[field] ??= value
  refuse(schemaProblems(ModelReplacementSchema, merged))
  const input = merged as ModelReplacement
  checkId(model, input.id)
  refuse([...modelProblems(input)])
  const named = CURATED_FIELDS.filter(field => field in patch)
  const emptied = named.filter(field => (patch as Record<string, unknown>)[field] === null || input[field] === undefined)
  const draft = { ...baseOf(model), ...onlyNamed(fieldsOf(input), named) }
  for (const field of emptied) delete draft[field as 'provider']
  const set = CURATED_FIELDS.filter(field => !emptied.includes(field) && (named.includes(field) || isSet(model.known, field)) && draft[field] !== undefined)
  return withDefaults(draft, model, set)
}

/** @throws GatewayError where only the service lists the model: it would reappear at once, so it can only be hidden. */
export function checkRemovable (model: AdminModel, ifMatch: string | undefined): void {
  checkMatch(ifMatch, () => recordTag(model.record))
  if (model.known === undefined) throw new GatewayError('conflict', { message: `The model '${model.record.id}' is listed by the inference service and cannot be removed. Hide it with {"isActive": false}.` })
}

/** The models in a new order: the named ones exchange their positions. A model without a row gets one where the order needs it. */
export function reordered (models: readonly AdminModel[], ids: readonly string[]): ModelDraft[] {
  const byId = new Map(models.map(model => [model.record.id, model]))
  refuse(firstProblems(orderProblems(ids, byId)))
  const moved = ids.map(id => byId.get(id) as AdminModel)
  const named = new Set(ids)
  let next = 0
  const order = models.map(model => named.has(model.record.id) ? moved[next++] as AdminModel : model)
  const last = order.findLastIndex(({ known, record }) => known !== undefined || named.has(record.id))
  return order.slice(0, last + 1).map(model => model.known ?? withDefaults(baseOf(model), model, []))
}

/** Replaces all models by those of a valid catalog file. */
export function imported (models: readonly AdminModel[], file: CatalogFile, rules: Rules, ifMatch: string | undefined): ModelDraft[] {
  checkMatch(ifMatch, () => entityTag(JSON.stringify(exported(models))))
  const byId = new Map(models.map(model => [model.record.id, model]))
  const drafts = modelsOf(file).map(({ id, createdAt, set, ...fields }): ModelDraft => {
    const model = byId.get(id)
    if (model !== undefined) return draftOf(model, fields, rules)
    return { id, ...fields, ...(createdAt !== undefined && { createdAt }), set: CURATED_FIELDS.filter(field => fields[field] !== undefined) }
  })
  return rules.joined ? withoutNeedless(drafts, models) : drafts
}

/** Drops rows at the end of each type that hold no set field and do not change the service's order. */
function withoutNeedless (drafts: readonly ModelDraft[], models: readonly AdminModel[]): ModelDraft[] {
  const byId = new Map(models.map((model, index) => [model.record.id, { model, index }]))
  return MODEL_TYPES.flatMap(type => {
    const list = drafts.filter(draft => draft.type === type)
    let end = list.length
    let behind = Infinity
    for (; end > 0; end--) {
      const draft = list[end - 1] as ModelDraft
      const found = byId.get(draft.id)
      if (found === undefined || found.model.known !== undefined || draft.set?.length !== 0 || found.index > behind) break
      behind = found.index
    }
    return list.slice(0, end)
  })
}

/** All models as a catalog file. */
export function exported (models: readonly AdminModel[]): Required<CatalogFile> {
  const of = (type: ModelRecord['type']): CatalogFileItem[] => models.filter(({ record }) => record.type === type)
    .map(({ record: { id, name, description, provider, contextLength, capabilities, isActive, createdAt } }) => ({
      id,
      name,
      description,
      ...(provider !== undefined && { provider }),
      ...(contextLength !== undefined && { contextLength }),
      ...(capabilities !== undefined && { capabilities }),
      ...(!isActive && { isActive }),
      createdAt
    }))
  return { chat: of('chat'), image: of('image'), speech: of('speech') }
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

function checkId (model: AdminModel, id: string | undefined): void {
  if (id !== undefined && id !== model.record.id) refuse([{ pointer: '/id', reason: 'cannot be changed' }])
}

type Fields = Partial<Pick<CuratedModel, CuratedField>>

function fieldsOf (input: ModelReplacement): Fields {
  return onlyNamed(input, CURATED_FIELDS)
}

function onlyNamed (fields: Fields, named: readonly CuratedField[]): Fields {
  return Object.fromEntries(named.filter(field => fields[field] !== undefined).map(field => [field, fields[field]]))
}

/**
 * A draft in which the given fields replace all others. A field counts as set if it
 * was set before, or if its value differs from the one shown. So a record that is
 * sent back unchanged sets nothing.
 */
function draftOf (model: AdminModel, fields: Fields, { joined }: Rules): ModelDraft {
  const isOther = (field: CuratedField) => JSON.stringify(fields[field] ?? EMPTY[field]) !== JSON.stringify(model.record[field] ?? EMPTY[field])
  const set = CURATED_FIELDS.filter(field => (fields[field] !== undefined || !joined) && (isSet(model.known, field) || isOther(field)))
  // The row keeps its default for a field that is not set.
  const kept = joined ? onlyNamed(baseOf(model), CURATED_FIELDS.filter(field => !set.includes(field) && !isSet(model.known, field))) : {}
  return withDefaults({ id: model.record.id, ...kept, ...(joined ? onlyNamed(fields, set) : fields) }, model, set)
}

/** The values of fields that no source states. */
const EMPTY: { [field in CuratedField]?: unknown } = { description: '', isActive: true }

/** The fields of a model's row. A new row takes its values from the static list, not from the service, whose values may change. */
function baseOf ({ record, known, sources = {} }: AdminModel): { id: string } & Fields {
  if (known !== undefined) return { id: known.id, ...onlyNamed(known, CURATED_FIELDS) }
  return { id: record.id, ...onlyNamed(record, CURATED_FIELDS.filter(field => sources[field] === 'static')) }
}

/** A row has a name, a description and a type even where they are not set. */
function withDefaults (draft: { id: string } & Fields, { record, known }: AdminModel, set: readonly CuratedField[]): ModelDraft {
  const isWhole = known?.set === undefined && known !== undefined && set.length === CURATED_FIELDS.filter(field => draft[field] !== undefined).length
  return { name: draft.id, description: '', type: record.type, isActive: true, ...draft, ...(!isWhole && { set }) }
}

/** JSON Merge Patch (RFC 7396). An object that becomes empty is removed. */
function mergePatch (target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    const result = value === null ? undefined : mergePatch(merged[key], value)
    if (result === undefined || (isObject(result) && Object.keys(result).length === 0)) delete merged[key]
    else merged[key] = result
  }
  return merged
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
