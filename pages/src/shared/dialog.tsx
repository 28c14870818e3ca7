import { useId, useLayoutEffect, useRef, type ReactNode } from 'react'
import { Icon } from './icons.tsx'

interface DialogProps {
  title: string
  /** Called when the person closes it: by the button, or by Escape. */
  onClose: () => void
  className?: string
  children: ReactNode
}

/** A modal dialog, open while it is rendered. The browser keeps the focus inside and gives it back. */
export function Dialog ({ title, onClose, className, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  // A layout effect: its cleanup still finds the dialog in the page, and only from there does `close` give the focus back.
  useLayoutEffect(() => {
    const { current } = dialog
    current?.showModal()
    return () => current?.close()
  }, [])
  return (
    <dialog ref={dialog} aria-labelledby={heading} className={className} onCancel={event => { event.preventDefault(); onClose() }}>
      <header className='row spread dialog-head'>
        <h2 id={heading}>{title}</h2>
        <button type='button' className='quiet icon-only' aria-label='Close' onClick={onClose}><Icon name='close' /></button>
      </header>
      {children}
    </dialog>
  )
}
