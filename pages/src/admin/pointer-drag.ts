/** Pixels that a pointer may move and still make a click. */
const SLACK = 5
/** Pixels from the window's top and bottom within which the page scrolls; at its top stand two headers. */
const EDGES = { top: 140, bottom: 60 }
/** Pixels in each millisecond, at the very edge. */
const SPEED = 1.2

interface PointerDrag {
  /** Gets the events of the pointer: an element that stays in the page while it scrolls. */
  captor: Element
  /** Called at each frame of the drag, and at its end: the page may have scrolled below a pointer that rests. */
  onMove: (x: number, y: number) => void
  /** Called once where the pointer was dragged; `dropped` is false where that was broken off. */
  onEnd: (dropped: boolean) => void
}

/**
 * Follows a mouse, a pen or a finger from where it was pressed. Escape breaks off,
 * and so does the browser where it needs the pointer for itself.
 * @returns breaks off
 */
export function followPointer ({ pointerId, clientX, clientY }: PointerEvent, { captor, onMove, onEnd }: PointerDrag): () => void {
  const over = new AbortController()
  let [x, y] = [clientX, clientY]
  let dragged = false
  let frame = 0

  function listen<Name extends 'pointermove' | 'pointerup' | 'pointercancel'> (name: Name, listener: () => void): void {
    addEventListener(name, event => {
      if (event.pointerId !== pointerId) return
      x = event.clientX
      y = event.clientY
      listener()
    }, { signal: over.signal })
  }

  function begin (): void {
    if (dragged || Math.hypot(x - clientX, y - clientY) < SLACK) return
    dragged = true
    // Until the pointer is let go, which is then no click of what is below it.
    captor.setPointerCapture(pointerId)
    frame = requestAnimationFrame(now => step(now, now))
  }

  function step (now: number, before: number): void {
    scrollBy(0, scrollSpeed(y, clientY) * (now - before))
    onMove(x, y)
    frame = requestAnimationFrame(next => step(next, now))
  }

  function end (dropped: boolean): void {
    if (over.signal.aborted) return
    over.abort()
    cancelAnimationFrame(frame)
    if (!dragged) return
    if (dropped) onMove(x, y)
    onEnd(dropped)
  }

  listen('pointermove', begin)
  listen('pointerup', () => end(true))
  listen('pointercancel', () => end(false))
  addEventListener('keydown', event => {
    if (event.key !== 'Escape' || !dragged) return
    event.preventDefault()
    end(false)
  }, { signal: over.signal })
  return () => end(false)
}

/** Pixels in each millisecond. A pointer that was pressed near an edge scrolls only once it moves towards it. */
function scrollSpeed (y: number, start: number): number {
  const [above, below] = [EDGES.top - y, y - (innerHeight - EDGES.bottom)]
  if (above > 0 && y < start) return -SPEED * Math.min(1, above / EDGES.top)
  if (below > 0 && y > start) return SPEED * Math.min(1, below / EDGES.bottom)
  return 0
}
