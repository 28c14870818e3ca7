import { useEffect, useRef, useSyncExternalStore } from 'react'
import { useFocusHeir } from '../shared/focus-heir.ts'
import { Icon } from '../shared/icons.tsx'

/** A message about what was done or what failed. */
interface Notice {
  id: number
  text: string
  failed: boolean
  /** What had the focus when it was told: its dismissal gives the focus back. */
  raisedBy: Element | null
  /** Takes back what was done. */
  undo?: () => unknown
}

/** Messages from which on a new one takes the place of an older one. */
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

function add (notice: Omit<Notice, 'id' | 'raisedBy'>): void {
  const gone = notices.length < MOST ? undefined : notices.find(({ failed, undo }) => !failed && undo === undefined) ?? notices.find(({ undo }) => undo === undefined)
  show([...notices.filter(other => other !== gone), { ...notice, id: ++lastId, raisedBy: controlInUse() }])
}

/** What has the focus; of a message, what raised that one. */
function controlInUse (): Element | null {
  const { activeElement } = document
  const message = activeElement?.closest<HTMLElement>('[data-notice]')?.dataset.notice
  return message === undefined ? activeElement : notices.find(({ id }) => String(id) === message)?.raisedBy ?? null
}

/** Tells what was done. With `undo` the message stays until it is dismissed. */
export function tell (text: string, undo?: () => unknown): void {
  add({ text, failed: false, ...(undo && { undo }) })
}

/** Tells what failed. */
export function tellFailure (text: string): void {
  add({ text, failed: true })
}

/** The messages, where screen readers hear of them. */
export function Notices () {
  const all = useSyncExternalStore(listener => {
    listeners.add(listener)
    return () => { listeners.delete(listener) }
  }, () => notices)
  return (
    <div className='toasts' role='status' aria-label='Messages' tabIndex={-1}>
      {all.map(notice => <NoticeLine key={notice.id} notice={notice} />)}
    </div>
  )
}

function NoticeLine ({ notice: { id, text, failed, raisedBy, undo } }: { notice: Notice }) {
  const line = useRef<HTMLParagraphElement>(null)
  useEffect(() => { line.current?.scrollIntoView({ block: 'nearest' }) }, [])
  useFocusHeir(line, () => raisedBy)
  const stays = failed || undo !== undefined
  useEffect(() => {
    if (stays) return
    const timer = setTimeout(() => dismiss(id), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [id, stays])

  function takeBack (button: HTMLElement): void {
    // The button goes: the outcome is told here.
    button.closest<HTMLElement>('[role=status]')?.focus()
    dismiss(id)
    undo?.()
  }

  return (
    <p ref={line} data-notice={id} className={failed ? 'toast failed' : 'toast'}>
      <span>{text}</span>
      {/* The row that had the focus is gone: the focus comes here. */}
      {undo !== undefined && <button type='button' autoFocus onClick={event => takeBack(event.currentTarget)}>Undo</button>}
      <button type='button' className='quiet icon-only' aria-label='Dismiss this message' onClick={() => dismiss(id)}><Icon name='close' /></button>
    </p>
  )
}
