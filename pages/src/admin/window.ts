import { useLayoutEffect, useState, type RefObject } from 'react'

/** Rows that are rendered above and below what is seen. */
const AROUND = 12
/** The window moves by whole steps, so that most scrolling renders nothing. */
const STEP = 6

/** The rows of a long table that are rendered: from `start` to before `end`; each is `height` pixels high. */
export interface RowWindow {
  start: number
  end: number
  height: number
}

/** Follows which rows of a table's body are near the screen. All rows must be of one height. */
export function useRowWindow (body: RefObject<HTMLTableSectionElement | null>, count: number): RowWindow {
  const [rows, setRows] = useState<RowWindow>({ start: 0, end: 40, height: 52 })
  useLayoutEffect(() => {
    const look = (): void => {
      if (body.current === null) return
      const height = body.current.querySelector('tr[data-id]')?.getBoundingClientRect().height ?? 52
      const above = -body.current.getBoundingClientRect().top / height
      const start = Math.max(0, Math.floor((above - AROUND) / STEP) * STEP)
      const end = Math.ceil((above + innerHeight / height + AROUND) / STEP) * STEP
      setRows(rows => rows.start === start && rows.end === end && rows.height === height ? rows : { start, end, height })
    }
    look()
    addEventListener('scroll', look, { passive: true })
    addEventListener('resize', look)
    return () => {
      removeEventListener('scroll', look)
      removeEventListener('resize', look)
    }
  }, [body, count])
  return { ...rows, start: Math.min(rows.start, Math.max(0, count - 1)), end: Math.min(rows.end, count) }
}
