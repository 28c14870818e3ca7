import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { TypeCompiler, type TypeCheck } from '@sinclair/typebox/compiler'
import { CapabilitiesSchema, CURATED_FIELDS, DEFAULT_CREATED_AT, MODEL_TYPES, type CuratedModel } from '../catalog/models.ts'
import type { ModelRow } from './schema.ts'

/** A model as the table keeps it. */
export interface ModelRecord extends CuratedModel {
  createdAt: string
  updatedAt: string
}

/** The result of an edit. The store sets the dates. */
export type ModelDraft = Omit<CuratedModel, 'createdAt'> & { createdAt?: string, updatedAt?: string }

/** A record and its position among all records. */
export interface PlacedRecord {
  record: ModelRecord
  position: number
}

/** Largest number of models in the table and in an import. */
export const MOST_MODELS = 10_000

/** The position of a row without one, which was inserted by hand. */
export const NO_PLACE = Number.MAX_SAFE_INTEGER

/** Records in catalog order; those without a position come last in their type. */
export function inOrder (placed: readonly PlacedRecord[]): PlacedRecord[] {
  return placed.toSorted((a, b) => RANK[a.record.type] - RANK[b.record.type] || a.position - b.position || (a.record.id < b.record.id ? -1 : 1))
}

const RANK = Object.fromEntries(MODEL_TYPES.map((type, rank) => [type, rank])) as Record<CuratedModel['type'], number>

/** A row → its record and position. An unchanged known record is returned as the same object, so that whatever was derived from it stays valid. */
export function placedRecord (row: ModelRow, known?: PlacedRecord): PlacedRecord {
  const record = recordOf(row)
  const position = row.position ?? NO_PLACE
  if (known === undefined || !sameRecord(record, known.record)) return { record, position }
  return known.position === position ? known : { record: known.record, position }
}

function recordOf (row: ModelRow): ModelRecord {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    type: row.model_type as ModelRecord['type'],
    ...(row.provider !== null && { provider: row.provider }),
    // One that is impossible, written by hand, counts as absent.
    ...(Number.isSafeInteger(row.context_length) && row.context_length as number > 0 && { contextLength: row.context_length as number }),
    ...stored('capabilities', row.capabilities, CAPABILITIES),
    isActive: Boolean(row.is_active),
    ...stored('set', row.set_fields, SET),
    createdAt: isoDate(row.created_at),
    updatedAt: isoDate(row.updated_at)
  }
}

const CAPABILITIES = TypeCompiler.Compile(CapabilitiesSchema)
const SET = TypeCompiler.Compile(Type.Array(Type.Union(CURATED_FIELDS.map(field => Type.Literal(field)))))

/** A JSON column → a field. Unreadable JSON, written by hand, counts as absent, so that it affects no other model. */
function stored<N extends string, T extends TSchema> (name: N, text: string | null, schema: TypeCheck<T>): { [name in N]?: Static<T> } {
  if (text === null) return {}
  try {
    const value: unknown = JSON.parse(text)
    if (schema.Check(value)) return { [name]: value } as { [name in N]: Static<T> }
  } catch {
    // Counts as absent.
  }
  return {}
}

const ZONE = /(Z|[+-]\d\d:?\d\d)$/i
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/**
 * A date as either engine returns it. SQLite's `current_timestamp` is UTC without
 * saying so. A row with an invalid date can still be listed and removed.
 */
export function isoDate (value: Date | string): string {
  if (typeof value === 'string' && ISO.test(value) && !Number.isNaN(Date.parse(value))) return value
  const date = new Date(typeof value === 'string' && !ZONE.test(value) ? `${value.replace(' ', 'T')}Z` : value)
  return Number.isNaN(date.getTime()) ? DEFAULT_CREATED_AT : date.toISOString()
}

const curatedModels = new WeakMap<ModelRecord, CuratedModel>()

/** The catalog's view of a record; the same object for the same record. */
export function curatedModel (record: ModelRecord): CuratedModel {
  const known = curatedModels.get(record)
  if (known !== undefined) return known
  const { updatedAt, ...model } = record
  curatedModels.set(record, model)
  return model
}

/** A record and its position → the row. */
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
    position: position === NO_PLACE ? null : position,
    created_at: record.createdAt,
    updated_at: record.updatedAt
  }
}

/**
 * A draft → the record to store. A known record keeps its `createdAt`; an unchanged
 * one is the known object itself.
 */
export function settled (draft: ModelDraft, known: ModelRecord | undefined, now: string): ModelRecord {
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
  return sameRecord(record, known) ? known : { ...record, updatedAt: after(known.updatedAt, now) }
}

const PLAIN_FIELDS = ['id', 'name', 'description', 'type', 'provider', 'contextLength', 'isActive', 'createdAt', 'updatedAt'] as const

function sameRecord (a: ModelRecord, b: ModelRecord): boolean {
  return PLAIN_FIELDS.every(field => a[field] === b[field]) && sameJson(a.capabilities, b.capabilities) && sameJson(a.set, b.set)
}

function sameJson (a: unknown, b: unknown): boolean {
  return a === b || (a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b))
}

/** Makes `updatedAt`, and so the tag, differ also for two edits within a millisecond or by machines with different clocks. */
function after (before: string, now: string): string {
  return now > before ? now : new Date(Date.parse(before) + 1).toISOString()
}
