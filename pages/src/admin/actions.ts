import { useMutation, useQueryClient, type InfiniteData, type QueryClient } from '@tanstack/react-query'
import { ApiError, deleteModel, exportCatalog, hasGaps, importCatalog, orderModels, patchModel, type Filters } from './api.ts'
import { tell, tellFailure } from './notices.tsx'
import { moved, pieceMoved, type Place } from './order.ts'
import { KEYS } from './queries.ts'
import { MODEL_TYPES, type CatalogFile, type ModelRecord, type Page } from './records.ts'
import { models, wordsOf } from './words.ts'

type Loaded = InfiniteData<Page<ModelRecord>, string | null>

/** Has all views read again what an edit may have changed. */
export async function afterEdit (client: QueryClient): Promise<void> {
  await Promise.all(Object.values(KEYS).map(queryKey => client.invalidateQueries({ queryKey })))
}

/**
 * Puts what the API answered into the lists that are loaded: thousands of models
 * are not read again for one. Where that would not do, it reads them again.
 */
export async function afterPatch (client: QueryClient, saved: readonly ModelRecord[]): Promise<void> {
  if (client.isFetching({ queryKey: KEYS.models }) > 0 || !haveKeptPlaces(client, saved)) return await afterEdit(client)
  const byId = new Map(saved.map(record => [record.id, record]))
  for (const { queryKey } of client.getQueryCache().findAll({ queryKey: KEYS.models })) {
    const { active } = queryKey[1] as Filters
    const renewed = (record: ModelRecord): ModelRecord[] => {
      const now = byId.get(record.id)
      if (now === undefined) return [record]
      return active === null || now.isActive === active ? [now] : []
    }
    client.setQueryData<Loaded>(queryKey, loaded => loaded && { ...loaded, pages: loaded.pages.map(page => ({ ...page, data: page.data.flatMap(renewed) })) })
  }
  await Promise.all([KEYS.audit, KEYS.status].map(queryKey => client.invalidateQueries({ queryKey })))
}

/** Whether models that were changed stand where they stood, in each list that is shown. */
function haveKeptPlaces (client: QueryClient, saved: readonly ModelRecord[]): boolean {
  return client.getQueryCache().findAll({ queryKey: KEYS.models, type: 'active' }).every(({ state }) => {
    const records = (state.data as Loaded | undefined)?.pages.flatMap(({ data }) => data) ?? []
    const byId = new Map(records.map(record => [record.id, record]))
    return saved.every(({ id, type }) => {
      const before = byId.get(id)
      return before?.type === type && isPlaced(before)
    })
  })
}

/** Beside an inference service, the first edit of a model puts it before those that no admin has edited. */
const isPlaced = ({ sources }: ModelRecord): boolean => sources === undefined || Object.values(sources).includes('curated')

/** Changes the loaded models at once, before the gateway has answered. */
async function foresee (client: QueryClient, change: (records: ModelRecord[]) => ModelRecord[]): Promise<void> {
  await client.cancelQueries({ queryKey: KEYS.models })
  client.setQueriesData<Loaded>({ queryKey: KEYS.models }, loaded => {
    if (loaded === undefined) return loaded
    const records = change(loaded.pages.flatMap(({ data }) => data))
    return { ...loaded, pages: loaded.pages.map(page => ({ ...page, data: records.splice(0, page.data.length) })) }
  })
}

/** How far a change of many models has come. */
export interface Progress {
  done: number
  total: number
}

/** A model that could not be switched. */
interface Failure {
  id: string
  error: unknown
}

const isGone = (error: unknown): boolean => error instanceof ApiError && error.code === 'model_not_found'

function failureWords ([first, ...others]: [Failure, ...Failure[]], total: number): string {
  if (others.length > 0) return `${others.length + 1} of ${models(total)} were not switched. ${[first, ...others].slice(0, 3).map(({ id, error }) => `${id}: ${wordsOf(error)}`).join(' ')}`
  return isGone(first.error) ? `${first.id} was not switched: it no longer exists.` : `${first.id} was not switched. ${wordsOf(first.error)}`
}

/**
 * Switches models on or off, one after the other. Tells how it went.
 * @param onGone called with models that were found to exist no longer
 */
export function useSwitch (onProgress: (progress: Progress | null) => void, onGone: (ids: string[]) => void) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: async ({ ids, isActive }: { ids: string[], isActive: boolean }) => {
      const saved: ModelRecord[] = []
      const failures: Failure[] = []
      for (const [done, id] of ids.entries()) {
        if (ids.length > 1) onProgress({ done, total: ids.length })
        try {
          saved.push(await patchModel(id, { isActive }))
        } catch (error) {
          failures.push({ id, error })
          // What stops one model for such a reason stops them all.
          if (!(error instanceof ApiError) || error.status === 0 || error.status === 401) break
        }
      }
      return { saved, failures }
    },
    onMutate: async ({ ids, isActive }) => {
      const interrupted = client.isFetching({ queryKey: KEYS.models }) > 0
      const wanted = new Set(ids)
      await foresee(client, records => records.map(record => wanted.has(record.id) ? { ...record, isActive } : record))
      return { interrupted }
    },
    onSuccess: ({ failures }, { ids, isActive }) => {
      const what = ids.length === 1 ? ids[0] as string : models(ids.length)
      const [first, ...others] = failures
      if (first === undefined) return tell(`${isActive ? 'Switched on' : 'Switched off'}: ${what}.`)
      tellFailure(failureWords([first, ...others], ids.length))
      onGone(failures.filter(({ error }) => isGone(error)).map(({ id }) => id))
    },
    onSettled: async (outcome, _error, _change, before) => {
      onProgress(null)
      if (outcome === undefined || outcome.failures.length > 0 || before?.interrupted !== false) await afterEdit(client)
      else await afterPatch(client, outcome.saved)
    }
  })
}

const ORDER = ['order']

/** Moves a model within its type. Moves are made one after the other; each is seen at once. */
export function useMove (filters: Filters, shown: readonly ModelRecord[]) {
  const client = useQueryClient()
  const filtered = hasGaps(filters)
  const ids = (record: ModelRecord, records: readonly ModelRecord[]) => records.filter(({ type }) => type === record.type).map(({ id }) => id)
  return useMutation({
    mutationKey: ORDER,
    scope: { id: 'order' },
    mutationFn: async ({ record, place }: { record: ModelRecord, place: Place }) => {
      // A filter hides models between those that are seen: only the whole order tells what moves.
      const before = (await exportCatalog()).value[record.type].map(({ id }) => id)
      const piece = pieceMoved(before, moved(before, record.id, place))
      if (piece.length > 0) await orderModels(piece)
    },
    onMutate: async ({ record, place }) => {
      const after = moved(ids(record, shown), record.id, place)
      await foresee(client, records => inOrder(records, after))
      const at = after.indexOf(record.id)
      return { text: filtered && at > 0 ? `${record.name} now stands after ${nameOf(shown, after[at - 1])}.` : `${record.name} is now number ${at + 1} of the ${filtered ? 'models shown' : `${record.type} models`}.` }
    },
    onSuccess: (_answer, _move, { text }) => tell(text),
    onError: error => tellFailure(`The order was not changed. ${wordsOf(error)}`),
    onSettled: async () => {
      // Reading it again amid further moves would show an order that has passed.
      if (client.isMutating({ mutationKey: ORDER }) === 1) await afterEdit(client)
    }
  })
}

const nameOf = (records: readonly ModelRecord[], id: string | undefined) => records.find(record => record.id === id)?.name ?? id

function inOrder (records: ModelRecord[], ids: string[]): ModelRecord[] {
  const wanted = new Set(ids)
  const byId = new Map(records.map(record => [record.id, record]))
  const rest = [...ids]
  return records.map(record => wanted.has(record.id) ? byId.get(rest.shift() as string) ?? record : record)
}

const TRIES = 3

/** A model to delete, and what to do when that is taken back. */
interface Deletion {
  record: ModelRecord
  onUndo: () => void
}

/**
 * Deletes a model, and offers to take it back.
 * @param onGone called with what was deleted
 */
export function useDelete (onGone: (ids: string[]) => void) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: async ({ record }: Deletion) => {
      const { value: file } = await exportCatalog()
      await deleteModel(record.id)
      return file
    },
    onSuccess: (file, { record, onUndo }) => {
      const isListed = record.listed === true
      if (!isListed) onGone([record.id])
      tell(isListed ? `${record.name} is as the service lists it.` : `${record.name} was deleted.`, async () => {
        onUndo()
        try {
          await putBack(record, file)
          tell(`${record.name} is back at its place.`)
        } catch (error) {
          tellFailure(`${record.name} could not be brought back. ${wordsOf(error)}`)
        }
        await afterEdit(client)
      })
    },
    onError: (error, { record }) => tellFailure(`${record.name} was not deleted. ${wordsOf(error)}`),
    onSettled: async () => await afterEdit(client)
  })
}

/** Brings a model back as it was, dates and place too, whatever others did meanwhile: an import that is guarded by the export's tag. */
async function putBack ({ id, type, listed }: ModelRecord, old: Required<CatalogFile>): Promise<void> {
  const index = old[type].findIndex(item => item.id === id)
  const before = new Set(old[type].slice(0, index).map(item => item.id))
  const item = old[type][index]
  if (item === undefined) throw new ApiError(404, { message: 'It was not in the catalog that was saved.' })
  for (let tries = 1; ; tries++) {
    const { value, etag } = await exportCatalog()
    // What the service lists has stayed in the catalog.
    if (listed !== true && MODEL_TYPES.some(type => value[type].some(item => item.id === id))) throw new ApiError(409, { message: 'A model of that id exists again.' })
    const file = { ...value, [type]: value[type].filter(item => item.id !== id) }
    const place = file[type].findLastIndex(item => before.has(item.id)) + 1
    try {
      await importCatalog({ ...file, [type]: file[type].toSpliced(place, 0, item) }, etag)
      return
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 412 || tries === TRIES) throw error
    }
  }
}
