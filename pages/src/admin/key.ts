import { useSyncExternalStore } from 'react'

const NAME = 'gateway-admin-key'
const listeners = new Set<() => void>()

/** The admin key: it lives in this tab's `sessionStorage` and nowhere else. */
export interface HeldKey {
  key: string | null
  /** The gateway has answered 401 to this key. */
  refused: boolean
}

let held: HeldKey = { key: sessionStorage.getItem(NAME), refused: false }

function hold (next: HeldKey): void {
  held = next
  for (const listener of listeners) listener()
}

/** The key that requests use. */
export const heldKey = (): string | null => held.key

/** Uses another key from here on. */
export function holdKey (key: string): void {
  sessionStorage.setItem(NAME, key)
  hold({ key, refused: false })
}

/** Forgets the key, in this tab too. */
export function forgetKey (): void {
  sessionStorage.removeItem(NAME)
  hold({ key: null, refused: false })
}

/** Notes that the gateway does not take this key (any more). */
export function refuseKey (key: string): void {
  if (key === held.key) hold({ key, refused: true })
}

/** The key's state, for a component. */
export function useHeldKey (): HeldKey {
  return useSyncExternalStore(listener => {
    listeners.add(listener)
    return () => { listeners.delete(listener) }
  }, () => held)
}
