import type { FieldSource, SourcedModel } from '../catalog/joined.ts'
import { CURATED_FIELDS, type CuratedField, type CuratedModel } from '../catalog/models.ts'
import type { ModelRecord } from './records.ts'

/** A model as the admin API shows it. */
export interface AdminModel {
  /** What is shown. */
  record: ModelRecord
  /** What the table holds of it; absent where there is no row. */
  known?: ModelRecord | undefined
  /** Where each field comes from; absent where all of them come from one place. */
  sources?: SourcedModel['sources']
  /** Whether the source of the catalog lists the model. Clients are not shown one that it does not list. */
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
 * A joined model with what the table holds of it now, which may be newer: a field
 * that an admin set is the table's, any other is what the join says of it.
 */
export function overlaid (joined: SourcedModel | undefined, known: ModelRecord | undefined): AdminModel | undefined {
  if (joined === undefined) return known && { ...ofTable(known), sources: Object.fromEntries(fieldsOf(known).map(field => [field, sourceOf(known, field)])), listed: false }
  if (known === undefined && !joined.listed) return undefined
  const record: Record<string, unknown> = { id: joined.record.id }
  const sources: SourcedModel['sources'] = {}
  for (const field of CURATED_FIELDS) {
    const isTables = known !== undefined && (isSet(known, field) || joined.sources[field] === 'curated')
    const value = isTables ? known[field] : joined.sources[field] === 'curated' ? undefined : joined.record[field]
    const source = isTables ? sourceOf(known, field) : joined.sources[field]
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

function sourceOf (known: ModelRecord, field: CuratedField): FieldSource {
  return isSet(known, field) ? 'curated' : 'static'
}

function fieldsOf (record: CuratedModel): CuratedField[] {
  return CURATED_FIELDS.filter(field => record[field] !== undefined)
}

/** When a model was made of which nobody knows it. */
const UNKNOWN_DATE = new Date(0).toISOString()

function dated ({ createdAt = UNKNOWN_DATE, ...record }: CuratedModel, updatedAt = createdAt): ModelRecord {
  return { ...record, createdAt, updatedAt }
}
