import { readStatements } from './capabilities.ts'
import { MAX_LENGTH, NOT_ADDRESSABLE, type Model } from './models.ts'
import { kindByName, statedKind, valueAt, type Kind } from './types.ts'

/** What an inference service states about one model. `type` is `other` for a kind that the catalog does not hold. */
export type ReportedModel = Pick<Model, 'id'> & Partial<Pick<Model, 'name' | 'description' | 'provider' | 'contextLength' | 'capabilities'>> & { type?: Kind }

/** Entries of a list that are not shown: their number, and the number for each reason. */
export interface Skipped {
  count: number
  reasons: Record<string, number>
}

/** The readable part of a service's list. */
export interface ReportedList {
  models: readonly ReportedModel[]
  skipped: Skipped
}

/** Most models in a list; a longer list is refused. */
export const MAX_MODELS = 10_000

/** Reasons to skip an entry. The first three mean that it cannot be read; the others, that it is left out on purpose. */
export const SKIPPED = {
  noObject: 'not an object',
  noId: `no id, or one that is not a text of 1 to ${MAX_LENGTH.id} characters`,
  badId: 'an id with control characters or half a surrogate pair',
  notAddressable: 'an id `.` or `..`, which no client can request',
  repeated: 'an id that the list has already',
  other: 'a kind of model that the catalog has no place for'
} as const

/** Whether some entries could not be read. */
export function hasUnreadable ({ reasons }: Skipped): boolean {
  return [SKIPPED.noObject, SKIPPED.noId, SKIPPED.badId].some(reason => reasons[reason] !== undefined)
}

/** Counts skipped entries by reason. */
export class SkipCount implements Skipped {
  count = 0
  readonly reasons: Record<string, number> = {}

  add (reason: string, count = 1): void {
    this.count += count
    this.reasons[reason] = (this.reasons[reason] ?? 0) + count
  }
}

/**
 * The answer has no usable list. The message completes a sentence that begins with
 * a path, such as "/models …".
 */
export class NoList extends Error {
  override name = 'NoList'
}

/** Fields in which servers state the context length. The first with a value counts. */
const CONTEXT_LENGTHS = [
  ['contextLength'],
  ['context_length'],
  ['max_model_len'],
  // The context that llama.cpp was started with comes before the one of the model's training.
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
 * An unreadable entry is skipped and an unreadable field is absent; all others are
 * kept. @throws NoList if the answer is not a list, or nothing in it can be read
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

/** The model of an entry, or the reason to skip it. */
function readItem (item: unknown): ReportedModel | string {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return SKIPPED.noObject
  const { id } = item as Item
  if (typeof id !== 'string' || id === '' || id.length > MAX_LENGTH.id) return SKIPPED.noId
  if (NOT_ADDRESSABLE.has(id)) return SKIPPED.notAddressable
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

/** A text on one line, cut to `limit`; an empty one counts as absent. */
function text (item: Item, keys: string[], maxLength: number): string | undefined {
  for (const key of keys) {
    const value = item[key]
    if (typeof value !== 'string') continue
    // Cut first, so that a very long text is not cleaned as a whole.
    const line = cut(value, maxLength * 2).toWellFormed().replace(UNPRINTABLE, ' ').trim()
    if (line !== '') return cut(line, maxLength).trimEnd()
  }
  return undefined
}

// eslint-disable-next-line no-control-regex -- exactly these are looked for
const UNPRINTABLE = /\s*[\u0000-\u001f\u007f-\u009f\u2028\u2029]+\s*/g

/** Cuts to a number of UTF-16 units, never inside a surrogate pair. */
function cut (value: string, maxLength: number): string {
  if (value.length <= maxLength) return value
  const last = value.charCodeAt(maxLength - 1)
  return value.slice(0, last >= 0xd800 && last <= 0xdbff ? maxLength - 1 : maxLength)
}

function contextLengthOf (item: Item): number | undefined {
  // Some servers write 0 for unknown.
  return CONTEXT_LENGTHS.map(path => valueAt(item, path)).find((value): value is number => Number.isSafeInteger(value) && (value as number) > 0)
}
