import { useLayoutEffect, useRef, type KeyboardEvent } from 'react'
import type { Direction, Place } from './order.ts'
import type { ModelRecord } from './records.ts'

/** The model of a menu, and the control that opened it. */
export interface Anchor {
  record: ModelRecord
  element: HTMLElement
}

interface RowMenuProps {
  anchor: Anchor
  places: Record<Direction, Place | null>
  onClose: () => void
  onMove: (place: Place | null) => void
  onEdit: () => void
  onDelete: () => void
}

/** What can be done with one model, in a popover beside the control that opened it. */
export function RowMenu ({ anchor: { record, element }, places, onClose, onMove, onEdit, onDelete }: RowMenuProps) {
  const menu = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const popover = menu.current as HTMLElement
    popover.showPopover()
    const { left, right, top, bottom } = element.getBoundingClientRect()
    const { offsetWidth: width, offsetHeight: height } = popover
    popover.style.left = `${Math.max(8, left + width > innerWidth - 8 ? right - width : left)}px`
    popover.style.top = `${bottom + height > innerHeight - 8 ? top - height - 4 : bottom + 4}px`
    popover.querySelector('button')?.focus()
    // It stands beside its control only as long as that stays where it is.
    const follow = () => { if (element.getBoundingClientRect().top !== top) popover.hidePopover() }
    addEventListener('scroll', follow, { passive: true })
    return () => removeEventListener('scroll', follow)
  }, [element])

  const item = (text: string, action: () => void, disabled = false, className = '') => (
    <button type='button' className={`quiet ${className}`} disabled={disabled} onClick={() => { menu.current?.hidePopover(); action() }}>{text}</button>
  )
  return (
    <div
      ref={menu} popover='auto' className='menu' role='group' aria-label={`Actions for ${record.name}`}
      onKeyDown={leaveByTab} onToggle={event => { if (event.newState === 'closed') onClose() }}
    >
      {item('Edit', onEdit)}
      {item('Move to top', () => onMove(places.top), places.top === null)}
      {item('Move up', () => onMove(places.up), places.up === null)}
      {item('Move down', () => onMove(places.down), places.down === null)}
      {/* What the inference service lists can be switched off, not deleted. */}
      {record.listed !== true && item('Delete', onDelete, false, 'danger')}
      {record.listed === true && Object.values(record.sources ?? {}).includes('curated') && item('Undo all that was set', onDelete, false, 'danger')}
    </div>
  )
}

/** Closed, the menu gives the focus back to its control: the Tab that leaves it goes on from there. */
function leaveByTab ({ key, shiftKey, target, currentTarget }: KeyboardEvent<HTMLDivElement>): void {
  const items = [...currentTarget.querySelectorAll('button:enabled')]
  if (key === 'Tab' && target === items.at(shiftKey ? 0 : -1)) currentTarget.hidePopover()
}
