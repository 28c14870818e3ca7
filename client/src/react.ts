import { useCallback, useSyncExternalStore } from 'react'
import type { RequestOptions } from './models.js'
import { followList, lastList } from './shared-list.js'
import type { ListedModel, ModelType } from './types.js'

/** Where the gateway is. */
export type UseModelsOptions = Pick<RequestOptions, 'baseUrl' | 'apiKey'>

/**
 * The models of one type (`undefined`: of all types), at once and kept fresh:
 * `initial` until the gateway has answered, then its list. The list is asked for
 * anew when the window gets the focus or is shown again, and when the browser is
 * online again. A request that fails changes nothing: the last good list stays.
 *
 * All components that ask for the same list share one request and one array: do
 * not sort or change it in place. A server renders `initial`.
 * @param initial what to show first, such as the array that was hard-coded before; empty where it is left out
 */
export function useModels<T extends ModelType | undefined> (type: T, initial: readonly ListedModel<T>[] = NONE, { baseUrl, apiKey }: UseModelsOptions = {}): ListedModel<T>[] {
  const source = { type, baseUrl, apiKey }
  const follow = useCallback((listener: () => void) => followList(source, listener), [type, baseUrl, apiKey])
  const models = useSyncExternalStore(follow, () => lastList(source), () => undefined)
  return (models ?? initial) as ListedModel<T>[]
}

// One array for all, so that it stays the same from render to render.
const NONE: never[] = []
