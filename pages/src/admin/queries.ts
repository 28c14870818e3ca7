import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { ApiError, getStatus, listAudit, listModels, type Filters } from './api.ts'

/** The cache's names of what the API holds. */
export const KEYS = {
  models: ['models'],
  audit: ['audit'],
  status: ['status']
} as const

const STATUS_EVERY_MS = 10_000
const AUDIT_PAGE = 50

/** What the gateway refuses once, it refuses again. */
const retry = (failures: number, error: unknown): boolean => failures < 1 && !(error instanceof ApiError && error.status >= 400 && error.status < 500)

/** The models that pass the filters, as far as they have been loaded. What was shown stays until the new ones are there. */
export function useModels (filters: Filters) {
  return useInfiniteQuery({
    queryKey: [...KEYS.models, filters],
    queryFn: async ({ pageParam, signal }) => await listModels(filters, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: page => page.next,
    placeholderData: keepPreviousData,
    staleTime: 0,
    retry
  })
}

/** The catalog's status, kept current. */
export function useStatus () {
  return useQuery({
    queryKey: KEYS.status,
    queryFn: async ({ signal }) => await getStatus(signal),
    refetchInterval: STATUS_EVERY_MS,
    staleTime: 0,
    retry
  })
}

/** The changes, newest first. */
export function useAudit () {
  return useInfiniteQuery({
    queryKey: KEYS.audit,
    queryFn: async ({ pageParam, signal }) => await listAudit(pageParam, AUDIT_PAGE, signal),
    initialPageParam: null as string | null,
    getNextPageParam: page => page.next,
    staleTime: 0,
    retry
  })
}
