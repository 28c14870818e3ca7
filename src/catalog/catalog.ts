import { Cached } from './cached.ts'
import { activeModels, type CuratedModel, type Model } from './models.ts'
import { completed, type ReportedModel } from './reported.ts'
import type { Snapshot, SnapshotFile } from './snapshot.ts'

/** Where the catalog can come from. */
export type CatalogSource = 'static' | 'database' | 'inference'

/** A place that is asked again and again, and the name under which its list is kept over a restart. */
export interface Loader<T> {
  origin: string
  load: (signal: AbortSignal) => Promise<T>
}

/** The curated models at one revision of their table. */
export interface CuratedList {
  revision: number
  models: CuratedModel[]
}

/** What a {@link Catalog} is made of. */
export interface CatalogParts {
  source: CatalogSource
  /** The list that stands in wherever there is no better one yet. */
  fallback: readonly CuratedModel[]
  /** The database, where there is one. */
  curated?: Loader<CuratedList>
  /** The inference service, where it is the source. */
  reported?: Loader<ReportedModel[]>
  /** How old a copy may be before it is refreshed (milliseconds). */
  maxAge: number
  snapshots?: SnapshotFile
  onFailure: (what: 'database' | 'inference', error: unknown, retryIn: number) => void
}

/** How old the models are and where they come from. */
export interface Freshness {
  /** The source, or what stands in for it: the snapshot of an earlier process, or the curated list. */
  origin: CatalogSource | 'snapshot' | 'curated'
  /** In seconds. Absent where the list cannot age. */
  age?: number
  /** Seconds until a refresh is due; negative where it is overdue. */
  ttl?: number
}

/**
 * The models that may be used, from whichever source, at once: what is here is
 * the latest good copy, and what is slow or broken is dealt with behind it.
 */
export class Catalog {
  readonly source: CatalogSource
  readonly #parts: CatalogParts
  readonly #curated: Cached<CuratedList> | undefined
  readonly #reported: Cached<ReportedModel[]> | undefined
  readonly #listeners: Array<() => void> = []
  #all: readonly CuratedModel[] = []
  #models: readonly Model[] = []
  #byId: ReadonlyMap<string, Model> = new Map()
  #content = ''

  constructor (parts: CatalogParts) {
    this.source = parts.source
    this.#parts = parts
    const cached = <T>(what: 'database' | 'inference', loader: Loader<T> | undefined) => loader && new Cached<T>({
      load: loader.load,
      maxAge: parts.maxAge,
      onCopy: copy => {
        this.#settle()
        if (!copy.restored) parts.snapshots?.keep(this.#snapshot())
      },
      onFailure: (error, retryIn) => parts.onFailure(what, error, retryIn)
    })
    this.#curated = cached('database', parts.curated)
    this.#reported = cached('inference', parts.reported)
    this.#settle()
  }

  /**
   * Reads the database, which must answer or have left a snapshot. The inference
   * service is not waited for: until it answers, the snapshot or the curated
   * list stands in.
   * @throws what the database failed with, where no copy is at hand.
   */
  async start (): Promise<void> {
    const { curated, reported } = await this.#parts.snapshots?.read() ?? {}
    await this.#curated?.refresh()
    if (this.#curated !== undefined && this.#curated.copy === undefined) {
      if (curated?.origin !== this.#parts.curated?.origin || curated === undefined) throw this.#curated.lastFailure?.error
      this.#curated.restore({ value: { revision: -1, models: curated.value }, loadedAt: curated.loadedAt })
    }
    if (reported !== undefined && reported.origin === this.#parts.reported?.origin) this.#reported?.restore(reported)
    this.#reported?.refresh()
  }

  /** The active model of that id. */
  find (id: string): Model | undefined {
    this.touch()
    return this.#byId.get(id)
  }

  /** Every active model: chat first, then image, then speech. */
  list (): readonly Model[] {
    return this.#models
  }

  /** Every model of the source, those that are not active too. */
  curated (): readonly CuratedModel[] {
    return this.#all
  }

  /** Every model of the source and every curated one, with where each field comes from. */
  adminView (): Array<{ record: CuratedModel, sources: object, listed: boolean }> {
    return this.#all.map(record => ({ record, sources: {}, listed: true }))
  }

  /** Somebody asked: refreshes behind the answer whatever is too old. */
  touch (now = Date.now()): void {
    this.#curated?.touch(now)
    this.#reported?.touch(now)
  }

  /** Calls back whenever the models have changed. */
  onChange (listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Reads everything anew and waits for it. Never rejects: {@link status} tells how it went. */
  async refresh (): Promise<void> {
    await Promise.all([this.#curated?.reload(), this.#reported?.reload()])
  }

  /** The database is at that revision: reads it anew where the copy is of another one. */
  async edited (revision?: number): Promise<void> {
    if (revision === undefined || revision !== this.#curated?.copy?.value.revision) await this.#curated?.reload()
  }

  /** How old the models are and where they come from. */
  freshness (now = Date.now()): Freshness {
    const main = this.#main()
    if (main === undefined) return { origin: 'static' }
    if (main.copy === undefined) return { origin: 'curated' }
    const age = Math.floor((now - main.copy.loadedAt) / 1000)
    const origin = main.copy.restored ? 'snapshot' : this.source
    // The clock was set back: the age is not known, and a refresh is due.
    if (age < 0) return { origin, age: 0, ttl: 0 }
    return { origin, age, ttl: Math.floor(this.#parts.maxAge / 1000) - age }
  }

  /** What an operator wants to know. */
  status (now = Date.now()) {
    const main = this.#main()
    const { origin, age } = this.freshness(now)
    const failures = [this.#curated, this.#reported].map(cached => cached?.lastFailure).filter(failure => failure !== undefined)
    const last = failures.toSorted((a, b) => b.at - a.at)[0]
    const nextTry = Math.min(this.#curated?.nextTry ?? Infinity, this.#reported?.nextTry ?? Infinity)
    return {
      source: this.source,
      origin,
      count: this.#models.length,
      age: age ?? null,
      lastSuccess: date(main?.copy?.loadedAt),
      lastError: last === undefined ? null : { at: date(last.at) as string, message: (last.error as Error).message },
      nextTry: date(nextTry)
    }
  }

  /** Stops refreshing; the models stay. */
  async close (): Promise<void> {
    await Promise.all([this.#curated?.close(), this.#reported?.close()])
    await this.#parts.snapshots?.close()
  }

  #main (): Cached<CuratedList> | Cached<ReportedModel[]> | undefined {
    return this.source === 'inference' ? this.#reported : this.#curated
  }

  #settle (): void {
    const database = this.#curated?.copy?.value.models
    const curated = database ?? this.#parts.fallback
    const reported = this.#reported?.copy?.value
    this.#all = reported === undefined ? curated : inOrder(completed(reported, curated), database)
    const models = activeModels(this.#all)
    const content = JSON.stringify(models)
    if (content === this.#content) return
    this.#content = content
    this.#models = models
    this.#byId = new Map(models.map(model => [model.id, model]))
    for (const listener of this.#listeners) listener()
  }

  #snapshot (): Snapshot {
    const { curated, reported } = this.#parts
    const [database, service] = [this.#curated?.copy, this.#reported?.copy]
    return {
      format: 1,
      ...(curated && database && { curated: { origin: curated.origin, loadedAt: database.loadedAt, value: database.value.models } }),
      ...(reported && service && { reported: { origin: reported.origin, loadedAt: service.loadedAt, value: service.value } })
    }
  }
}

/** The service's order, except that an admin's order comes first where there is one. */
function inOrder (models: CuratedModel[], database: readonly CuratedModel[] | undefined): CuratedModel[] {
  if (database === undefined) return models
  const rank = new Map(database.map(({ id }, index) => [id, index]))
  return models.toSorted((a, b) => (rank.get(a.id) ?? database.length) - (rank.get(b.id) ?? database.length))
}

function date (ms: number | undefined): string | null {
  return ms === undefined || ms === Infinity ? null : new Date(ms).toISOString()
}
