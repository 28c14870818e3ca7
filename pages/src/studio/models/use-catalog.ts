import { useQuery } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { getModel, type Capabilities, type ModelType } from 'model-gateway-client'
import { useModels } from 'model-gateway-client/react'
import { GATEWAY_URL } from '../../shared/gateway.ts'
import { keyWasRefused, useSessionKey } from '../session-key.ts'

/** Where the gateway is and which key to send, for `useModels`. */
export function useGateway () {
  const { key } = useSessionKey()
  return { baseUrl: GATEWAY_URL, apiKey: key }
}

/** What a chat model can do, as far as it is known: of a default model that is not in the catalog, nothing is. */
export function useCapabilities (id: string | undefined): Capabilities {
  const { baseUrl, apiKey } = useGateway()
  const listed = useModels('chat', [], { baseUrl, apiKey }).some(model => model.id === id)
  const { data } = useQuery({
    queryKey: ['model', id, apiKey],
    queryFn: async ({ signal }) => await getModel(id as string, { baseUrl, apiKey, signal }),
    enabled: listed
  })
  return data?.capabilities ?? {}
}

/** The models that answer requests which name none; a gateway with API keys tells only those who have one. */
export function useDefaultModels (): Partial<Record<ModelType, string>> {
  const { key } = useSessionKey()
  const { data } = useQuery({
    queryKey: ['index', key],
    queryFn: async ({ signal }) => await (await fetch(GATEWAY_URL, { headers: { accept: 'application/json', ...authorization(key) }, signal })).json() as { defaultModels?: Partial<Record<ModelType, string>> },
    staleTime: Infinity
  })
  return data?.defaultModels ?? {}
}

/** What to say of the list: nothing where it is fresh. */
export function useListStatus (): string | undefined {
  const { key } = useSessionKey()
  const online = useOnline()
  const { data, error } = useQuery({
    queryKey: ['list-status', key],
    queryFn: async ({ signal }) => {
      const { ok, status, headers } = await fetch(`${GATEWAY_URL}v1/models`, { signal, headers: authorization(key) })
      if (status === 401) {
        keyWasRefused()
        return null
      }
      if (!ok) throw new Error(String(status))
      return listStatus(headers.get('cache-status') ?? '', Number(headers.get('age') ?? 0))
    },
    // Also when a key is forgotten: the answer then says again that one is needed.
    staleTime: 0
  })
  if (!online) return 'You are offline. The list of models may be out of date.'
  if (error !== null) return 'The list of models could not be refreshed. It may be out of date.'
  return data ?? undefined
}

/** Whether the browser has a network; TanStack Query sends nothing while it has none, so no request fails then. */
function useOnline (): boolean {
  return useSyncExternalStore(listener => {
    for (const name of ['online', 'offline']) addEventListener(name, listener)
    return () => { for (const name of ['online', 'offline']) removeEventListener(name, listener) }
  }, () => navigator.onLine)
}

const authorization = (key: string | undefined): Record<string, string> => key === undefined ? {} : { authorization: `Bearer ${key}` }

/** Reads `Cache-Status` (RFC 9211) and `Age`, in seconds. */
function listStatus (cacheStatus: string, age: number): string | null {
  const origin = /;\s*detail="?([\w-]+)/.exec(cacheStatus)?.[1]
  const ttl = Number(/;\s*ttl=(-?\d+)/.exec(cacheStatus)?.[1] ?? 0)
  if (origin === 'snapshot') return `The list of models is a saved copy, ${ago(age)} old: its source cannot be read just now.`
  if (origin === 'curated') return 'The inference service has not yet told its models. This is the gateway’s own list.'
  if (ttl < 0) return `The list of models is ${ago(age)} old: the last refresh failed or is under way.`
  return null
}

function ago (seconds: number): string {
  const units: Array<[number, string]> = [[86400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']]
  const [size, name] = units.find(([size]) => seconds >= size) ?? [1, 'second']
  const count = Math.floor(seconds / size)
  return `${count} ${name}${count === 1 ? '' : 's'}`
}
