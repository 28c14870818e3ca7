import { listModels, type RequestOptions } from './models.js'
import type { ListedModel, ModelType } from './types.js'

/** What TanStack Query 5 needs to know of a query. */
export interface ModelsQuery<T extends ModelType | undefined> {
  queryKey: readonly ['models', baseUrl: string, type: ModelType | 'all']
  queryFn: (context: { signal: AbortSignal }) => Promise<ListedModel<T>[]>
}

/**
 * Options for TanStack Query 5: `useQuery(modelsQuery('chat'))`,
 * `queryClient.prefetchQuery(modelsQuery())`. Spread them to add your own, such
 * as `placeholderData`. The API key is not part of the query's key, since keys
 * show in developer tools and are written to storage by persisters.
 */
export function modelsQuery<T extends ModelType | undefined = undefined> (type?: T, options: Omit<RequestOptions, 'signal'> = {}): ModelsQuery<T> {
  return {
    queryKey: ['models', options.baseUrl ?? '', type ?? 'all'],
    queryFn: ({ signal }) => listModels(type, { ...options, signal })
  }
}
