import { GATEWAY_URL } from '../shared/gateway.ts'
import { heldKey, refuseKey } from './key.ts'
import type { AuditEntry, CatalogFile, CatalogStatus, ImportResult, ModelRecord, ModelType, Page } from './records.ts'

/** Below `/admin/`. */
const PATHS = {
  models: 'models',
  model: (id: string) => `models/${encodeURIComponent(id)}`,
  order: 'catalog/order',
  export: 'catalog/export',
  import: 'catalog/import',
  status: 'catalog',
  refresh: 'catalog/refresh',
  audit: 'audit'
} as const

/** Rows that one request asks for. */
export const PAGE_SIZE = 100

/** What the gateway refused, or that it could not be reached (status 0). */
export class ApiError extends Error {
  readonly status: number
  readonly code: string | null
  /** The field at fault: an RFC 6901 pointer into the body. */
  readonly param: string | null
  /** Seconds to wait before the next try. */
  readonly retryAfter: number | null

  constructor (status: number, { message, code = null, param = null }: { message: string, code?: string | null, param?: string | null }, retryAfter: number | null = null) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.code = code
    this.param = param
    this.retryAfter = retryAfter
  }
}

/** A value and the tag that guards a change of it. */
export interface Tagged<T> {
  value: T
  etag: string | null
}

interface Call {
  method?: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  query?: Record<string, string | number | boolean | null | undefined>
  body?: unknown
  ifMatch?: string | null | undefined
  signal?: AbortSignal | undefined
  key?: string
}

async function call<T> (path: string, { method, query = {}, body, ifMatch, signal, key = heldKey() ?? '' }: Call = {}): Promise<Tagged<T>> {
  const parameters = new URLSearchParams(Object.entries(query).flatMap(([name, value]) => value === undefined || value === null || value === '' ? [] : [[name, String(value)]]))
  const headers = new Headers({ authorization: `Bearer ${key}` })
  if (body !== undefined) headers.set('content-type', method === 'PATCH' ? 'application/merge-patch+json' : 'application/json')
  if (ifMatch) headers.set('if-match', ifMatch)
  const response = await fetch(`${GATEWAY_URL}admin/${path}${parameters.size > 0 ? `?${parameters}` : ''}`, {
    method: method ?? 'GET',
    headers,
    cache: 'no-store',
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal })
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error
    throw new ApiError(0, { message: 'The gateway cannot be reached.' })
  })
  const answer: unknown = await response.json().catch(() => undefined)
  if (response.ok) return { value: answer as T, etag: response.headers.get('etag') }
  if (response.status === 401) refuseKey(key)
  const { error } = (answer ?? {}) as { error?: { message: string, code: string | null, param: string | null } }
  throw new ApiError(response.status, error ?? { message: `The gateway answered ${response.status}.` }, Number(response.headers.get('retry-after')) || null)
}

const valueOf = async <T>(answer: Promise<Tagged<T>>): Promise<T> => (await answer).value

/** What narrows the list of models. */
export interface Filters {
  q: string
  type: ModelType | null
  active: boolean | null
}

/** Whether models may be hidden between those that pass: a filter by type hides whole types only. */
export const hasGaps = ({ q, active }: Filters): boolean => q !== '' || active !== null

/** One page of the models, in the order of the catalog. */
export const listModels = async (filters: Filters, cursor: string | null, signal?: AbortSignal): Promise<Page<ModelRecord>> =>
  await valueOf(call(PATHS.models, { query: { ...filters, cursor, limit: PAGE_SIZE }, signal }))

/** Whether a key opens the admin API. @throws ApiError where it does not. */
export const tryKey = async (key: string): Promise<CatalogStatus> => await valueOf(call(PATHS.status, { key }))

/** One model. */
export const getModel = async (id: string, signal?: AbortSignal): Promise<Tagged<ModelRecord>> => await call(PATHS.model(id), { signal })

/** Adds a model at the end of its type. */
export const createModel = async (model: object): Promise<ModelRecord> => await valueOf(call(PATHS.models, { method: 'POST', body: model }))

/** Changes fields of a model, as RFC 7396 says; with `ifMatch` only where it is still the one that was read. */
export const patchModel = async (id: string, patch: object, ifMatch?: string | null): Promise<ModelRecord> =>
  await valueOf(call(PATHS.model(id), { method: 'PATCH', body: patch, ifMatch }))

/** Removes a model. */
export const deleteModel = async (id: string): Promise<void> => { await call(PATHS.model(id), { method: 'DELETE' }) }

/** Lets the models named change places among themselves. */
export const orderModels = async (ids: string[]): Promise<void> => { await call(PATHS.order, { method: 'PUT', body: ids }) }

/** The whole catalog as a file. */
export const exportCatalog = async (): Promise<Tagged<Required<CatalogFile>>> => await call(PATHS.export)

/** Replaces the whole catalog by a file, where it is still the one that was exported. */
export const importCatalog = async (file: unknown, ifMatch: string | null): Promise<ImportResult> =>
  await valueOf(call(PATHS.import, { method: 'POST', body: file, ifMatch }))

/** Who changed what and when, newest first. */
export const listAudit = async (cursor: string | null, limit: number, signal?: AbortSignal): Promise<Page<AuditEntry>> =>
  await valueOf(call(PATHS.audit, { query: { cursor, limit }, signal }))

/** Where the list comes from, how old it is, and what last went wrong. */
export const getStatus = async (signal?: AbortSignal): Promise<CatalogStatus> => await valueOf(call(PATHS.status, { signal }))

/** Reads the source anew. */
export const refreshCatalog = async (): Promise<CatalogStatus> => await valueOf(call(PATHS.refresh, { method: 'POST' }))
