import { useSyncExternalStore } from 'react'

const NAME = 'model-gateway-api-key'

interface KeyState {
  /** The key that requests carry; undefined where none was entered. */
  key: string | undefined
  /** A request was answered 401. */
  refused: boolean
}

let state: KeyState = { key: sessionStorage.getItem(NAME) ?? undefined, refused: false }
const listeners = new Set<() => void>()

function become (next: KeyState): void {
  state = next
  for (const listener of listeners) listener()
}

/** The key, for requests. */
export const currentKey = () => state.key

/** Keeps a key until the tab is closed; undefined forgets it. */
export function keepKey (key: string | undefined): void {
  if (key === undefined) sessionStorage.removeItem(NAME)
  else sessionStorage.setItem(NAME, key)
  become({ key, refused: false })
}

/** To be called for every answer with status 401. */
export function keyWasRefused (): void {
  if (!state.refused) become({ ...state, refused: true })
}

/** The key and whether one is asked for. */
export function useSessionKey (): KeyState {
  return useSyncExternalStore(listener => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }, () => state)
}
