import { useId, useLayoutEffect, useRef, type KeyboardEvent, type ReactNode, type SyntheticEvent } from 'react'
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

  function askToClose (event: SyntheticEvent<HTMLDialogElement>): void {
    event.preventDefault()
    onClose()
  }

  // Escape as a key too: for a second Escape without a click between, a browser closes the dialog and sends no `cancel`.
  function askByKey (event: KeyboardEvent<HTMLDialogElement>): void {
    if (event.key === 'Escape' && !event.nativeEvent.isComposing) askToClose(event)
  }

  // The same holds for other ways to close, such as the back gesture: `onClose` alone decides whether it closes.
  function askAfterwards ({ currentTarget }: SyntheticEvent<HTMLDialogElement>): void {
    if (currentTarget.open) return
    currentTarget.showModal()
    onClose()
  }

  return (
    <dialog ref={dialog} aria-labelledby={heading} className={className} onCancel={askToClose} onKeyDown={askByKey} onClose={askAfterwards}>
      <header className='row spread dialog-head'>
        <h2 id={heading}>{title}</h2>
        <button type='button' className='quiet icon-only' aria-label='Close' onClick={onClose}><Icon name='close' /></button>
      </header>
      {children}
    </dialog>
  )
}
