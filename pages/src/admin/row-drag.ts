import { useCallback, useEffect, useLayoutEffect, useRef, useState, type PointerEvent, type RefObject } from 'react'
import type { Place } from './order.ts'
import { followPointer } from './pointer-drag.ts'
import type { ModelRecord } from './records.ts'

/** Where a dragged model would be put. */
export interface Drop { id: string, side: 'before' | 'after' }

/** A model that is dragged. */
export interface RowDrag {
  record: ModelRecord
  /** Null where it cannot go, or would stay where it is. */
  drop: Drop | null
}

interface Rows {
  body: RefObject<HTMLTableSectionElement | null>
  records: readonly ModelRecord[]
  /** Of each row, pixels. */
  height: number
  onDrop: (record: ModelRecord, place: Place) => void
}

/** Lets models be dragged to another place among those of their type. */
export function useRowDrag (rows: Rows) {
  const [drag, setDrag] = useState<RowDrag | null>(null)
  /** Follows the pointer. */
  const label = useRef<HTMLDivElement>(null)
  const latest = useRef(rows)
  useLayoutEffect(() => { latest.current = rows })
  const stop = useRef<() => void>(undefined)
  useEffect(() => () => stop.current?.(), [])

  /** To be called where a model's handle is pressed. */
  const onGrab = useCallback((record: ModelRecord, { button, isPrimary, nativeEvent }: PointerEvent) => {
    const captor = latest.current.body.current
    if (button !== 0 || !isPrimary || captor === null) return
    let drop: Drop | null = null
    const onMove = (x: number, y: number): void => {
      drop = dropAt(y, captor, record, latest.current)
      setDrag(before => before !== null && before.drop?.id === drop?.id && before.drop?.side === drop?.side ? before : { record, drop })
      if (label.current !== null) label.current.style.translate = `${x}px ${y}px`
    }
    const onEnd = (dropped: boolean): void => {
      setDrag(null)
      if (dropped && drop !== null) latest.current.onDrop(record, drop.side === 'before' ? { before: drop.id } : { after: drop.id })
    }
    stop.current?.()
    stop.current = followPointer(nativeEvent, { captor, onMove, onEnd })
  }, [])
  return { drag, label, onGrab }
}

function dropAt (y: number, body: Element, { id, type }: ModelRecord, { records, height }: Rows): Drop | null {
  const rows = (y - body.getBoundingClientRect().top) / height
  const index = Math.max(0, Math.min(records.length - 1, Math.floor(rows)))
  const target = records[index]
  if (target?.type !== type) return null
  const side = rows - index < 0.5 ? 'before' : 'after'
  const own = records.findIndex(record => record.id === id)
  const gap = side === 'before' ? index : index + 1
  return gap === own || gap === own + 1 ? null : { id: target.id, side }
}
