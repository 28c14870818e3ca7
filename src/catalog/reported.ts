import { readStatements } from './capabilities.ts'
import { MAX_LENGTH, type Model } from './models.ts'
import { kindByName, statedKind, valueAt, type Kind } from './types.ts'

/** What an inference service says of one of its models; `type` is `other` for a kind that the catalog has no place for. */
export type ReportedModel = Pick<Model, 'id'> & Partial<Pick<Model, 'name' | 'description' | 'provider' | 'contextLength' | 'capabilities'>> & { type?: Kind }

/** Entries of a list that are not shown: how many, and for which reasons how many of them. */
export interface Skipped {
  count: number
  reasons: Record<string, number>
}

/** A service's list, as far as it can be read. */
export interface ReportedList {
  models: readonly ReportedModel[]
  skipped: Skipped
}

/** A service that lists more than this is taken to be broken. */
export const MAX_MODELS = 10_000

/** Why an entry is skipped. The first three mean that it cannot be read; the others that it is not wanted. */
export const SKIPPED = {
  noObject: 'not an object',
  noId: `no id, or one that is not a text of 1 to ${MAX_LENGTH.id} characters`,
  badId: 'an id with control characters or half a surrogate pair',
  repeated: 'an id that the list has already',
  other: 'a kind of model that the catalog has no place for'
} as const

/** Whether some entries could not be read, rather than that they are not wanted. */
export function hasUnreadable ({ reasons }: Skipped): boolean {
  return [SKIPPED.noObject, SKIPPED.noId, SKIPPED.badId].some(reason => reasons[reason] !== undefined)
}

/** Counts entries by the reason for which they are skipped. */
export class SkipCount implements Skipped {
  count = 0
  readonly reasons: Record<string, number> = {}

  add (reason: string, count = 1): void {
    this.count += count
    this.reasons[reason] = (this.reasons[reason] ?? 0) + count
  }
}

/**
 * What is wrong with an answer as a whole. The message completes a sentence whose
 * subject is an address, such as "/models …".
 */
export class NoList extends Error {
  override name = 'NoList'
}

/** Where servers keep the context length; the first that holds one counts. */
const CONTEXT_LENGTHS = [
  ['contextLength'],
  ['context_length'],
  ['max_model_len'],
  // What llama.cpp was started with comes before what the model was trained for.
  ['meta', 'n_ctx'],
  ['meta', 'n_ctx_train'],
  ['context_window'],
  ['max_context_length'],
  ['max_input_tokens'],
  // GitHub Copilot
  ['capabilities', 'limits', 'max_context_window_tokens']
]

/**
 * Reads the text of an answer to `GET /models`: a bare array, or `{data: […]}`.
 * Entry by entry and field by field: one that cannot be read is skipped or absent
 * and takes no other with it.
 * @throws NoList where the answer is no list, or nothing in it can be read.
 */
export function readReported (text: string): ReportedList {
  const items = itemsOf(parse(text))
  if (items.length === 0) throw new NoList('lists no models')
  if (items.length > MAX_MODELS) throw new NoList(`lists more than ${MAX_MODELS} models`)
  const models = new Map<string, ReportedModel>()
  const skipped = new SkipCount()
  for (const item of items) {
    const model = readItem(item)
    if (typeof model === 'string') skipped.add(model)
    else if (models.has(model.id)) skipped.add(SKIPPED.repeated)
    else models.set(model.id, model)
  }
  if (models.size === 0) throw new NoList('lists no model that can be read')
  const list = [...models.values()]
  if (list.every(({ id, type = kindByName(id) }) => type === 'other')) throw new NoList('lists no models for chat, image or speech')
  return { models: list, skipped: { count: skipped.count, reasons: skipped.reasons } }
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new NoList(/^\s*</.test(text) ? 'answers with a page of HTML or XML' : 'answers with what is not JSON')
  }
}

function itemsOf (answer: unknown): unknown[] {
  if (Array.isArray(answer)) return answer
  const { data, error } = (answer ?? {}) as { data?: unknown, error?: unknown }
  if (Array.isArray(data)) return data
  throw new NoList(error === undefined ? 'answers with neither an array nor an object with an array `data`' : 'answers with an error object')
}

type Item = Record<string, unknown>

// eslint-disable-next-line no-control-regex -- exactly these are looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

/** The model of an entry, or the reason why there is none. */
function readItem (item: unknown): ReportedModel | string {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return SKIPPED.noObject
  const { id } = item as Item
  if (typeof id !== 'string' || id === '' || id.length > MAX_LENGTH.id) return SKIPPED.noId
  if (CONTROL.test(id) || !id.isWellFormed()) return SKIPPED.badId
  const { capabilities, ...statements } = readStatements(item as Item)
  const type = statedKind(item as Item, statements)
  const name = text(item as Item, ['name', 'display_name'], MAX_LENGTH.name)
  const description = text(item as Item, ['description'], MAX_LENGTH.description)
  const provider = text(item as Item, ['provider'], MAX_LENGTH.provider)
  const contextLength = contextLengthOf(item as Item)
  return {
    id,
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(type !== undefined && { type }),
    ...(provider !== undefined && { provider }),
    ...(contextLength !== undefined && { contextLength }),
    ...(capabilities !== undefined && { capabilities })
  }
}

/** A text on one line, at most so long; an empty one says as little as none. */
function text (item: Item, keys: string[], maxLength: number): string | undefined {
  for (const key of keys) {
    const value = item[key]
    if (typeof value !== 'string') continue
    // Cut first: the rest of a text of megabytes need not be cleaned.
    const line = cut(value, maxLength * 2).toWellFormed().replace(UNPRINTABLE, ' ').trim()
    if (line !== '') return cut(line, maxLength).trimEnd()
  }
  return undefined
}

// eslint-disable-next-line no-control-regex -- exactly these are looked for
const UNPRINTABLE = /\s*[\u0000-\u001f\u007f-\u009f\u2028\u2029]+\s*/g

/** At most so many UTF-16 units, and no half of a surrogate pair at the end. */
function cut (value: string, maxLength: number): string {
  if (value.length <= maxLength) return value
  const last = value.charCodeAt(maxLength - 1)
  return value.slice(0, last >= 0xd800 && last <= 0xdbff ? maxLength - 1 : maxLength)
}

function contextLengthOf (item: Item): number | undefined {
  // Some servers write 0 for what they do not know.
  return CONTEXT_LENGTHS.map(path => valueAt(item, path)).find((value): value is number => Number.isSafeInteger(value) && (value as number) > 0)
}
