import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { CapabilitiesSchema, CURATED_FIELDS, DEFAULT_CREATED_AT, MODEL_TYPES, type CuratedModel } from '../catalog/models.ts'
import type { ModelRow } from './schema.ts'

/** A model as the table keeps it. */
export interface ModelRecord extends CuratedModel {
  createdAt: string
  updatedAt: string
}

/** What an edit hands back: dates are the store's business. */
export type ModelDraft = Omit<CuratedModel, 'createdAt'> & { createdAt?: string, updatedAt?: string }

/** A record and its place among all records. */
export interface PlacedRecord {
  record: ModelRecord
  position: number
}

/** One entry of the audit: an edit of one model, or of the order. */
export interface Change {
  action: 'create' | 'update' | 'delete' | 'order'
  modelId: string | null
  before: unknown
  after: unknown
}

/** Rows → records in the order in which the catalog shows them; rows without a position come last. */
export function placedRecords (rows: ModelRow[]): PlacedRecord[] {
  const rank = (row: ModelRow) => MODEL_TYPES.indexOf(row.model_type as CuratedModel['type'])
  const place = (row: ModelRow) => row.position ?? Number.MAX_SAFE_INTEGER
  return rows
    .toSorted((a, b) => rank(a) - rank(b) || place(a) - place(b) || (a.id < b.id ? -1 : 1))
    .map(row => ({ record: recordOf(row), position: place(row) }))
}

function recordOf (row: ModelRow): ModelRecord {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    type: row.model_type as ModelRecord['type'],
    ...(row.provider !== null && { provider: row.provider }),
    ...(row.context_length !== null && { contextLength: row.context_length }),
    ...stored('capabilities', row.capabilities, CapabilitiesSchema),
    isActive: Boolean(row.is_active),
    ...stored('set', row.set_fields, SetSchema),
    createdAt: isoDate(row.created_at),
    updatedAt: isoDate(row.updated_at)
  }
}

const SetSchema = Type.Array(Type.Union(CURATED_FIELDS.map(field => Type.Literal(field))))

/** A column of JSON → a field. What somebody wrote there by hand and cannot be read counts as absent, so that it hides no other model. */
function stored<N extends string, T extends TSchema> (name: N, text: string | null, schema: T): { [name in N]?: Static<T> } {
  if (text === null) return {}
  try {
    const value: unknown = JSON.parse(text)
    if (Value.Check(schema, value)) return { [name]: value } as { [name in N]: Static<T> }
  } catch {
    // Absent, as said above.
  }
  return {}
}

/**
 * A date as either engine returns it. SQLite's own `current_timestamp` is UTC,
 * but does not say so. A row whose date is none can still be listed and removed.
 */
export function isoDate (value: Date | string): string {
  const date = new Date(typeof value === 'string' && !ZONE.test(value) ? `${value.replace(' ', 'T')}Z` : value)
  return Number.isNaN(date.getTime()) ? DEFAULT_CREATED_AT : date.toISOString()
}

const ZONE = /(Z|[+-]\d\d:?\d\d)$/i

/** A record at its place → the row. */
export function rowOf ({ record, position }: PlacedRecord): ModelRow {
  return {
    id: record.id,
    name: record.name,
    description: record.description,
    context_length: record.contextLength ?? null,
    model_type: record.type,
    is_active: record.isActive,
    provider: record.provider ?? null,
    capabilities: record.capabilities === undefined ? null : JSON.stringify(record.capabilities),
    set_fields: record.set === undefined ? null : JSON.stringify(record.set),
    position,
    created_at: record.createdAt,
    updated_at: record.updatedAt
  }
}

/** What an edit comes to: rows to take out, rows to put in, and the entries of the audit. */
export interface Edit {
  remove: string[]
  insert: PlacedRecord[]
  changes: Change[]
}

/** Compares the records before an edit with the drafts after it. A record that stays keeps its `createdAt`. */
export function editOf (before: PlacedRecord[], after: ModelDraft[], now: string): Edit {
  const old = new Map(before.map(placed => [placed.record.id, placed]))
  const edit: Edit = { remove: [], insert: [], changes: [] }
  let position = 0
  for (const draft of after) {
    const known = old.get(draft.id)
    const record = settled(draft, known?.record, now)
    // Places only move where they must, so that a deletion leaves all others alone.
    position = known !== undefined && known.position > position && known.position < Number.MAX_SAFE_INTEGER ? known.position : position + 1
    if (known === undefined) {
      edit.changes.push({ action: 'create', modelId: draft.id, before: null, after: record })
    } else if (record !== known.record) {
      edit.changes.push({ action: 'update', modelId: draft.id, before: known.record, after: record })
    } else if (position === known.position) {
      continue
    }
    if (known !== undefined) edit.remove.push(draft.id)
    edit.insert.push({ record, position })
  }
  const kept = new Set(after.map(draft => draft.id))
  for (const { record } of before) {
    if (kept.has(record.id)) continue
    edit.remove.push(record.id)
    edit.changes.push({ action: 'delete', modelId: record.id, before: record, after: null })
  }
  const orderBefore = before.map(({ record }) => record.id).filter(id => kept.has(id))
  const orderAfter = after.map(draft => draft.id).filter(id => old.has(id))
  if (orderBefore.join('\0') !== orderAfter.join('\0')) {
    edit.changes.push({ action: 'order', modelId: null, before: orderBefore, after: orderAfter })
  }
  return edit
}

function settled (draft: ModelDraft, known: ModelRecord | undefined, now: string): ModelRecord {
  const { id, name, description, type, provider, contextLength, capabilities, isActive, set } = draft
  const record: ModelRecord = {
    id,
    name,
    description,
    type,
    ...(provider !== undefined && { provider }),
    ...(contextLength !== undefined && { contextLength }),
    ...(capabilities !== undefined && { capabilities }),
    isActive,
    ...(set !== undefined && { set }),
    createdAt: known?.createdAt ?? draft.createdAt ?? now,
    updatedAt: known?.updatedAt ?? now
  }
  if (known === undefined) return record
  return JSON.stringify(record) === JSON.stringify(known) ? known : { ...record, updatedAt: after(known.updatedAt, now) }
}

/** Two edits within a millisecond, or by machines whose clocks differ, still have dates and so tags of their own. */
function after (before: string, now: string): string {
  return now > before ? now : new Date(Date.parse(before) + 1).toISOString()
}
