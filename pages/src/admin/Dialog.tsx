import { useId, useLayoutEffect, useRef, type ReactNode } from 'react'
import { Icon } from '../shared/icons.tsx'

interface DialogProps {
  title: string
  /** Asked for by Escape or by the ×. */
  onClose: () => void
  children: ReactNode
  className?: string
}

/** A modal dialog, open as long as it is rendered. The browser keeps the focus in it and gives it back. */
export function Dialog ({ title, onClose, children, className = '' }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useLayoutEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => element?.close()
  }, [])
  return (
    <dialog ref={dialog} className={className} aria-labelledby={id} onCancel={event => { event.preventDefault(); onClose() }}>
      <header>
        <h2 id={id}>{title}</h2>
        <button type='button' className='quiet icon-only' aria-label='Close' onClick={onClose}><Icon name='close' /></button>
      </header>
      {children}
    </dialog>
  )
}
