import type { Static } from '@sinclair/typebox'
import type { Capabilities, ModelType } from '../../../src/catalog/models.ts'
import type { CatalogFile, CatalogFileItem } from '../../../src/catalog/static.ts'
import type { AuditEntrySchema, CatalogStatusSchema, ImportResultSchema } from '../../../src/store/answers.ts'
import type { ModelRecordSchema } from '../../../src/store/inputs.ts'

/** Types of the admin API: the same schemas with which the gateway validates and serialises. */
export type { Capabilities, CatalogFile, CatalogFileItem, ModelType }
export type ModelRecord = Static<typeof ModelRecordSchema>
export type AuditEntry = Static<typeof AuditEntrySchema>
export type ImportResult = Static<typeof ImportResultSchema>
/** `nullable` in the schema loses the types of what may be null. */
export type CatalogStatus = Omit<Static<typeof CatalogStatusSchema>, 'age' | 'lastSuccess' | 'lastError' | 'lastFailure' | 'nextTry'> & {
  age: number | null
  lastSuccess: string | null
  lastError: Failure | null
  lastFailure: Failure | null
  nextTry: string | null
}
interface Failure { at: string, message: string }

/** A piece of a list, and the cursor of the next one. */
export interface Page<T> {
  data: T[]
  next: string | null
}

/** The types of models in the order of the catalog. */
export const MODEL_TYPES = ['chat', 'image', 'speech'] as const satisfies readonly ModelType[]
