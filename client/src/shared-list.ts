import { listModels, type RequestOptions } from './models.js'
import type { ListedModel, ModelType } from './types.js'

/** Which list, and where it is. */
export interface ListSource extends Pick<RequestOptions, 'baseUrl' | 'apiKey'> {
  type: ModelType | undefined
}

type Listed = ListedModel<ModelType | undefined>

/** Milliseconds after which an answer is no longer waited for: while one is, no other is asked for. */
const TIMEOUT = 15_000

/** Components that mount within this many milliseconds of an answer use it, and send no request of their own. */
const SHARED_FOR = 2000

/** One list, as all components on the page that show it share it. */
class SharedList {
  readonly #source: ListSource
  readonly #listeners = new Set<() => void>()
  #models: Listed[] | undefined
  #text = ''
  #answeredAt = -Infinity
  #pending = false

  constructor (source: ListSource) {
    this.#source = source
  }

  /** The last list that the gateway sent; undefined before the first. */
  get models (): Listed[] | undefined {
    return this.#models
  }

  /** Calls `listener` at each change, and keeps the list fresh until the returned function is called. */
  subscribe (listener: () => void): () => void {
    if (this.#listeners.size === 0) this.#watch()
    this.#listeners.add(listener)
    if (performance.now() - this.#answeredAt >= SHARED_FOR) this.#refresh()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#unwatch()
    }
  }

  readonly #refresh = async () => {
    if (this.#pending || document.visibilityState === 'hidden') return
    this.#pending = true
    try {
      const { type, ...options } = this.#source
      const models = await listModels(type, { ...options, signal: AbortSignal.timeout(TIMEOUT) })
      this.#answeredAt = performance.now()
      // The same list stays the same array, so that nothing renders anew.
      const text = JSON.stringify(models)
      if (text === this.#text) return
      this.#text = text
      this.#models = models
      for (const listener of this.#listeners) listener()
    } catch {
      // The last good list stays.
    } finally {
      this.#pending = false
    }
  }

  #watch (): void {
    window.addEventListener('focus', this.#refresh)
    window.addEventListener('online', this.#refresh)
    document.addEventListener('visibilitychange', this.#refresh)
  }

  #unwatch (): void {
    window.removeEventListener('focus', this.#refresh)
    window.removeEventListener('online', this.#refresh)
    document.removeEventListener('visibilitychange', this.#refresh)
  }
}

const lists = new Map<string, SharedList>()

const keyOf = ({ type, baseUrl, apiKey }: ListSource) => JSON.stringify([type, baseUrl, apiKey])

/** Follows a list; a list that nobody has followed is made here, so a server that only renders keeps none. */
export function followList (source: ListSource, listener: () => void): () => void {
  const key = keyOf(source)
  const list = lists.get(key) ?? new SharedList(source)
  lists.set(key, list)
  return list.subscribe(listener)
}

/** The last list that the gateway sent; undefined before the first. */
export function lastList (source: ListSource): Listed[] | undefined {
  return lists.get(keyOf(source))?.models
}
