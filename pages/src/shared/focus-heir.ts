import { useLayoutEffect, useRef, type RefObject } from 'react'

/**
 * Hands the focus on when an element is removed while the focus is in it: a
 * browser would leave it nowhere. What takes the focus by itself keeps it.
 * @param heir called after the removal; where it gives nothing that is still in the page, the main heading gets the focus
 */
export function useFocusHeir (element: RefObject<HTMLElement | null>, heir: () => Element | null | undefined): void {
  const latest = useRef(heir)
  useLayoutEffect(() => { latest.current = heir })
  // A layout effect: at its cleanup the element is still in the page, and still has the focus.
  useLayoutEffect(() => {
    const { current } = element
    return () => {
      if (current?.contains(document.activeElement) !== true) return
      queueMicrotask(() => {
        if (current.isConnected || document.activeElement !== document.body) return
        focusOn(latest.current())
      })
    }
  }, [element])
}

function focusOn (heir: Element | null | undefined): void {
  if (heir instanceof HTMLElement && heir.isConnected) heir.focus()
  if (document.activeElement === document.body) document.querySelector<HTMLElement>('main h1')?.focus()
}
