import { Cached, type Copy } from './cached.ts'
import { joinedModels, sameLists, sourcedModels, type Inputs, type Joined, type SourcedModel } from './joined.ts'
import type { CuratedModel, Model } from './models.ts'
import { SkipCount, SKIPPED, type ReportedList, type Skipped } from './reported.ts'
import { atOnce, inSlices } from './slices.ts'
import type { Snapshot, SnapshotFile } from './snapshot.ts'

/** The sources of the catalog. */
export type CatalogSource = 'static' | 'database' | 'inference'

/** A source that is read repeatedly, and the name of its list in the snapshot. */
export interface Loader<T> {
  origin: string
  load: (signal: AbortSignal) => Promise<T>
}

/** The curated models at one revision of their table. */
export interface CuratedList {
  revision: number
  models: readonly CuratedModel[]
}

/** Parts of a {@link Catalog}. */
export interface CatalogParts {
  source: CatalogSource
  /** The list that is used until a better one has been read. */
  fallback: readonly CuratedModel[]
  /** Reads that list again. */
  readFallback?: () => Promise<readonly CuratedModel[]>
  /** The database, if there is one. */
  curated?: Loader<CuratedList>
  /** The inference service, if it is the source. */
  reported?: Loader<ReportedList>
  /** Age from which a copy is refreshed (milliseconds). */
  maxAge: number
  snapshots?: SnapshotFile
  /** Called for each failed refresh. `retryIn` (milliseconds) is absent for the static list, which is read again when it changes. */
  onFailure: (what: 'database' | 'inference' | 'file', error: unknown, retryIn?: number) => void
  /** Called when the skipped entries of the service's list change. */
  onSkipped?: (skipped: Skipped) => void
}

/** The age and origin of the models. */
export interface Freshness {
  /** The source, or its substitute: the snapshot of an earlier process, or the curated list. */
  origin: CatalogSource | 'snapshot' | 'curated'
  /** Seconds. Absent for a list that does not age. */
  age?: number
  /** Seconds until a refresh is due; negative if it is overdue. */
  ttl?: number
}

const NOTHING_SKIPPED: Skipped = { count: 0, reasons: {} }

/**
 * The active models, from any source, without waiting: the list is the latest good
 * copy, and sources are refreshed in the background.
 */
export class Catalog {
  readonly source: CatalogSource
  /** Refreshes since the start. */
  readonly refreshes = { success: 0, failure: 0 }
  readonly #parts: CatalogParts
  readonly #curated: Cached<CuratedList> | undefined
  readonly #reported: Cached<ReportedList> | undefined
  readonly #preparations: Array<(models: readonly Model[]) => Promise<() => void>> = []
  readonly #listeners: Array<() => void> = []
  #fallback: readonly CuratedModel[]
  #fallbackFailure: { at: number, error: unknown } | undefined
  #fallbackFailing = false
  #inputs: Inputs
  #joined: Joined
  #byId: ReadonlyMap<string, Model> = new Map()
  /** The copy of the source from which the present models were made. {@link #settle} may be processing a newer one. */
  #shown: Copy<unknown> | undefined
  #skipped = NOTHING_SKIPPED
  #settling: Promise<void> | undefined
  #changed = false

  constructor (parts: CatalogParts) {
    this.source = parts.source
    this.#parts = parts
    this.#fallback = parts.fallback
    this.#inputs = { reported: undefined, database: undefined, fixed: parts.fallback }
    this.#joined = atOnce(joinedModels(this.#inputs, this.#byId))
    this.#byId = byId(this.#joined.active)
    this.#curated = this.#cached('database', parts.curated, 'models')
    this.#reported = this.#cached('inference', parts.reported, 'models')
  }

  /**
   * Reads the database, which must answer unless there is a snapshot of it. Does
   * not wait for the inference service: until it answers, the snapshot or the
   * curated list is used. @throws the database's error if there is no copy
   */
  async start (): Promise<void> {
    const { curated, reported } = await this.#parts.snapshots?.read() ?? {}
    await this.#curated?.refresh()
    if (this.#curated !== undefined && this.#curated.copy === undefined) {
      if (curated?.origin !== this.#parts.curated?.origin || curated === undefined) throw this.#curated.lastFailure?.error
      await this.#curated.restore({ value: { revision: -1, models: curated.value }, loadedAt: curated.loadedAt })
    }
    if (reported !== undefined && reported.origin === this.#parts.reported?.origin) {
      await this.#reported?.restore({ value: { models: reported.value, skipped: NOTHING_SKIPPED }, loadedAt: reported.loadedAt })
    }
    this.#reported?.refresh()
  }

  /** The active model of that id. */
  find (id: string): Model | undefined {
    this.touch()
    return this.#byId.get(id)
  }

  /** Every active model: chat first, then image, then speech. A model that has not changed stays the same object. */
  list (): readonly Model[] {
    return this.#joined.active
  }

  /** Every model of the source, active or not. */
  curated (): readonly CuratedModel[] {
    return this.#joined.all
  }

  /** For admins: every model of the source and every curated one, with the source of each field. */
  adminView (): SourcedModel[] {
    return sourcedModels(this.#inputs)
  }

  /** The same of one model. */
  adminModel (id: string): SourcedModel | undefined {
    const { reported, database, fixed } = this.#inputs
    const ofId = <T extends { id: string }>(models: readonly T[]) => models.filter(model => model.id === id)
    return sourcedModels({ reported: reported && ofId(reported), database: database && ofId(database), fixed: ofId(fixed) })[0]
  }

  /** The static list, which fills the gaps of the others. */
  fixed (): readonly CuratedModel[] {
    return this.#inputs.fixed
  }

  /** Starts a refresh of each copy that is too old, without waiting. */
  touch (now = Date.now()): void {
    this.#curated?.touch(now)
    this.#reported?.touch(now)
  }

  /**
   * Registers work that must precede a change of the models. `prepare` gets the new
   * models; the function that it returns is called in the same turn of the event
   * loop in which the catalog changes.
   */
  beforeChange (prepare: (models: readonly Model[]) => Promise<() => void>): void {
    this.#preparations.push(prepare)
  }

  /** Calls back whenever the models have changed. */
  onChange (listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Reads every source again and waits for it. Never rejects: {@link status} has the result. */
  async refresh (): Promise<void> {
    await Promise.all([this.#curated?.reload(), this.#reported?.reload()])
  }

  /** Reads the static list again. An invalid one is reported and changes nothing. Never rejects. */
  async reloadStatic (): Promise<void> {
    if (this.#parts.readFallback === undefined) return
    try {
      this.#fallback = await this.#parts.readFallback()
      this.#fallbackFailing = false
    } catch (error) {
      this.#fallbackFailure = { at: Date.now(), error }
      this.#fallbackFailing = true
      this.#parts.onFailure('file', error)
      return
    }
    await this.#settle()
  }

  /** The database is at that revision: reads it again if the copy has another one. */
  async edited (revision?: number): Promise<void> {
    if (revision === undefined || revision !== this.#curated?.copy?.value.revision) await this.#curated?.reload()
    else await this.#settling
  }

  /** The age and origin of the models. */
  freshness (now = Date.now()): Freshness {
    const shown = this.#shown
    if (this.source === 'static') return { origin: 'static' }
    if (shown === undefined) return { origin: 'curated' }
    const age = Math.floor((now - shown.loadedAt) / 1000)
    const origin = shown.restored ? 'snapshot' : this.source
    // The clock was set back: the age is unknown, and a refresh is due.
    if (age < 0) return { origin, age: 0, ttl: 0 }
    return { origin, age, ttl: Math.floor(this.#parts.maxAge / 1000) - age }
  }

  /** The state of the catalog, for operators. */
  status (now = Date.now()) {
    const { origin, age } = this.freshness(now)
    const failures = [
      { failing: this.#curated?.failing, last: this.#curated?.lastFailure },
      { failing: this.#reported?.failing, last: this.#reported?.lastFailure },
      { failing: this.#fallbackFailing, last: this.#fallbackFailure }
    ]
    const nextTry = Math.min(this.#curated?.nextTry ?? Infinity, this.#reported?.nextTry ?? Infinity)
    return {
      source: this.source,
      origin,
      count: this.#joined.active.length,
      age: age ?? null,
      lastSuccess: date(this.#shown?.loadedAt),
      lastError: latest(failures.filter(({ failing }) => failing === true)),
      lastFailure: latest(failures),
      nextTry: date(nextTry),
      skipped: this.#skipped
    }
  }

  /** Stops refreshing; the models stay. */
  async close (): Promise<void> {
    await Promise.all([this.#curated?.close(), this.#reported?.close()])
    await this.#parts.snapshots?.close()
  }

  #main (): Cached<CuratedList> | Cached<ReportedList> | undefined {
    return this.source === 'inference' ? this.#reported : this.#curated
  }

  /** A copy of a source. A list equal to the one before is the same array. */
  #cached<K extends string, T extends Record<K, readonly object[]>> (what: 'database' | 'inference', loader: Loader<T> | undefined, list: K): Cached<T> | undefined {
    if (loader === undefined) return undefined
    const cached: Cached<T> = new Cached<T>({
      load: async signal => {
        const value = await loader.load(signal)
        const known = cached.copy?.value[list]
        return known !== undefined && await inSlices(sameLists(known, value[list])) ? { ...value, [list]: known } : value
      },
      maxAge: this.#parts.maxAge,
      onCopy: async copy => {
        await this.#settle()
        if (copy.restored) return
        this.refreshes.success++
        this.#parts.snapshots?.keep(this.#snapshot())
      },
      onFailure: (error, retryIn) => {
        this.refreshes.failure++
        this.#parts.onFailure(what, error, retryIn)
      }
    })
    return cached
  }

  /** Builds the models from the present copies, one change at a time. */
  async #settle (): Promise<void> {
    this.#changed = true
    this.#settling ??= this.#settleAll().finally(() => { this.#settling = undefined })
    await this.#settling
  }

  async #settleAll (): Promise<void> {
    while (this.#changed) {
      this.#changed = false
      const shown = this.#main()?.copy
      const reported = this.#reported?.copy?.value
      const inputs = { reported: reported?.models, database: this.#curated?.copy?.value.models, fixed: this.#fallback }
      const { reported: listed, database, fixed } = this.#inputs
      if (inputs.reported !== listed || inputs.database !== database || inputs.fixed !== fixed) await this.#take(inputs, shown)
      else this.#shown = shown
      if (reported !== undefined && this.#reported?.copy?.restored === false) this.#tellSkipped(reported.skipped)
    }
  }

  /** Replaces the catalog's models in one turn of the event loop. */
  async #take (inputs: Inputs, shown: Copy<unknown> | undefined): Promise<void> {
    const before = this.#joined.active
    const joined = await inSlices(joinedModels(inputs, this.#byId))
    const isSame = joined.active.length === before.length && joined.active.every((model, index) => model === before[index])
    const prepared = isSame ? [] : await Promise.all(this.#preparations.map(prepare => prepare(joined.active)))
    this.#inputs = inputs
    this.#shown = shown
    // An unchanged list keeps its identity, so that callers can compare by it.
    this.#joined = isSame ? { ...joined, active: before } : joined
    if (isSame) return
    this.#byId = byId(joined.active)
    for (const show of prepared) show()
    for (const listener of this.#listeners) listener()
  }

  #tellSkipped (read: Skipped): void {
    const skipped = new SkipCount()
    for (const [reason, count] of Object.entries(read.reasons)) skipped.add(reason, count)
    if (this.#joined.leftOut > 0) skipped.add(SKIPPED.other, this.#joined.leftOut)
    const { count, reasons } = skipped
    if (JSON.stringify(reasons) === JSON.stringify(this.#skipped.reasons)) return
    this.#skipped = { count, reasons }
    this.#parts.onSkipped?.(this.#skipped)
  }

  #snapshot (): Snapshot {
    const { curated, reported } = this.#parts
    const [database, service] = [this.#curated?.copy, this.#reported?.copy]
    return {
      format: 1,
      ...(curated && database && { curated: { origin: curated.origin, loadedAt: database.loadedAt, value: database.value.models } }),
      ...(reported && service && { reported: { origin: reported.origin, loadedAt: service.loadedAt, value: service.value.models } })
    }
  }
}

function byId (models: readonly Model[]): ReadonlyMap<string, Model> {
  return new Map(models.map(model => [model.id, model]))
}

function latest (failures: ReadonlyArray<{ last: { at: number, error: unknown } | undefined }>): { at: string, message: string } | null {
  const last = failures.map(({ last }) => last).filter(last => last !== undefined).toSorted((a, b) => b.at - a.at)[0]
  return last === undefined ? null : { at: date(last.at) as string, message: (last.error as Error).message }
}

function date (ms: number | undefined): string | null {
  return ms === undefined || ms === Infinity ? null : new Date(ms).toISOString()
}
