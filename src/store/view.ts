import { unsetSource, type FieldSource, type SourcedModel } from '../catalog/joined.ts'
import { CURATED_FIELDS, type CuratedField, type CuratedModel } from '../catalog/models.ts'
import type { ModelRecord } from './records.ts'

/** A model as the admin API shows it. */
export interface AdminModel {
  /** The record as shown. */
  record: ModelRecord
  /** The row of the table; absent if there is none. */
  known?: ModelRecord | undefined
  /** Where each field comes from; absent if there is only one source. */
  sources?: SourcedModel['sources']
  /** Whether the source lists the model. Clients do not see a model that it does not list. */
  listed: boolean
}

/** A model of a table that is the only source. */
export function ofTable (known: ModelRecord): AdminModel {
  return { record: known, known, listed: true }
}

/** A model of a source that cannot be edited. */
export function ofSource ({ record, sources, listed }: SourcedModel): AdminModel {
  return { record: dated(record), sources, listed }
}

/**
 * A joined model, updated from its present row, which may be newer: fields that an
 * admin set come from the row, all others from the join. `fixed` is the model of the
 * static list.
 */
export function overlaid (joined: SourcedModel | undefined, known: ModelRecord | undefined, fixed: CuratedModel | undefined): AdminModel | undefined {
  if (joined === undefined) return known && { ...ofTable(known), sources: Object.fromEntries(fieldsOf(known).map(field => [field, sourceOf(known, field, fixed)])), listed: false }
  if (known === undefined && !joined.listed) return undefined
  const record: Record<string, unknown> = { id: joined.record.id }
  const sources: SourcedModel['sources'] = {}
  for (const field of CURATED_FIELDS) {
    const isTables = known !== undefined && (isSet(known, field) || joined.sources[field] === 'curated')
    const value = isTables ? known[field] : joined.sources[field] === 'curated' ? undefined : joined.record[field]
    const source = isTables ? sourceOf(known, field, fixed) : joined.sources[field]
    if (value === undefined) continue
    record[field] = value
    if (source !== undefined) sources[field] = source
  }
  const createdAt = known?.createdAt ?? joined.record.createdAt
  const whole = { name: joined.record.id, description: '', isActive: true, ...record, ...(createdAt !== undefined && { createdAt }) } as CuratedModel
  return { record: dated(whole, known?.updatedAt), known, sources, listed: joined.listed }
}

/** Whether an admin set the field of a record. */
export function isSet (known: ModelRecord | undefined, field: CuratedField): boolean {
  return known !== undefined && (known.set === undefined || known.set.includes(field))
}

function sourceOf (known: ModelRecord, field: CuratedField, fixed: CuratedModel | undefined): FieldSource {
  return isSet(known, field) ? 'curated' : unsetSource(field, known[field], fixed)
}

function fieldsOf (record: CuratedModel): CuratedField[] {
  return CURATED_FIELDS.filter(field => record[field] !== undefined)
}

/** The `createdAt` of models without one. */
const UNKNOWN_DATE = new Date(0).toISOString()

function dated ({ createdAt = UNKNOWN_DATE, ...record }: CuratedModel, updatedAt = createdAt): ModelRecord {
  return { ...record, createdAt, updatedAt }
}
