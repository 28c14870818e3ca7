import { useEffect, useSyncExternalStore } from 'react'
import { Icon } from '../shared/icons.tsx'

/** A message about what was done or what failed. */
interface Notice {
  id: number
  text: string
  failed: boolean
  /** Takes back what was done. */
  undo?: () => unknown
}

const MOST = 4
const SHOWN_MS = 8000

let notices: readonly Notice[] = []
let lastId = 0
const listeners = new Set<() => void>()

function show (next: readonly Notice[]): void {
  notices = next
  for (const listener of listeners) listener()
}

const dismiss = (id: number) => show(notices.filter(notice => notice.id !== id))

/** Tells what was done. With `undo` the message stays until it is dismissed. */
export function tell (text: string, undo?: () => unknown): void {
  show([...notices.slice(1 - MOST), { id: ++lastId, text, failed: false, ...(undo && { undo }) }])
}

/** Tells what failed. */
export function tellFailure (text: string): void {
  show([...notices.slice(1 - MOST), { id: ++lastId, text, failed: true }])
}

/** The messages, where screen readers hear of them. */
export function Notices () {
  const all = useSyncExternalStore(listener => {
    listeners.add(listener)
    return () => { listeners.delete(listener) }
  }, () => notices)
  return (
    <div className='toasts' role='status' aria-label='Messages'>
      {all.map(notice => <NoticeLine key={notice.id} notice={notice} />)}
    </div>
  )
}

function NoticeLine ({ notice: { id, text, failed, undo } }: { notice: Notice }) {
  const stays = failed || undo !== undefined
  useEffect(() => {
    if (stays) return
    const timer = setTimeout(() => dismiss(id), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [id, stays])
  return (
    <p className={failed ? 'toast failed' : 'toast'}>
      <span>{text}</span>
      {/* The row that had the focus is gone: the focus comes here. */}
      {undo !== undefined && <button type='button' autoFocus onClick={() => { dismiss(id); undo() }}>Undo</button>}
      <button type='button' className='quiet icon-only' aria-label='Dismiss this message' onClick={() => dismiss(id)}><Icon name='close' /></button>
    </p>
  )
}
