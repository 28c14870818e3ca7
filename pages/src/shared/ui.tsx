import { useState, type ComponentProps, type MouseEvent, type ReactNode } from 'react'
import { Icon } from './icons.tsx'

/** The line at the top of each page: its name, and the way to the others. */
export function PageHeader ({ current, children }: { current: 'studio' | 'admin', children?: ReactNode }) {
  const link = (page: 'studio' | 'admin', text: string) => <a href={page} aria-current={page === current ? 'page' : undefined}>{text}</a>
  return (
    <header className='page-header'>
      <span className='brand'>
        <svg viewBox='0 0 32 32' aria-hidden='true'><rect width='32' height='32' rx='8' /><path d='M8 23V12.5a8 8 0 0 1 16 0V23' /><circle cx='16' cy='19' r='3' /></svg>
        Model gateway
      </span>
      {children}
      <nav aria-label='Pages'>
        {link('studio', 'Studio')}
        {link('admin', 'Admin')}
        <a href='docs'>API</a>
      </nav>
    </header>
  )
}

export type Tone = 'info' | 'warning' | 'danger' | 'success'

/** A message in the flow of the page. `danger` is announced at once, the others when the person is idle. */
export function Notice ({ tone = 'info', title, children, actions }: { tone?: Tone, title?: string, children?: ReactNode, actions?: ReactNode }) {
  const icon = { info: 'info', warning: 'warning', danger: 'warning', success: 'check' } as const
  return (
    <div className={`notice ${tone}`} role={tone === 'danger' ? 'alert' : 'status'}>
      <Icon name={icon[tone]} />
      <div>
        {title !== undefined && <strong>{title}</strong>}
        {children !== undefined && <div>{children}</div>}
      </div>
      {actions !== undefined && <div className='row'>{actions}</div>}
    </div>
  )
}

/**
 * A button that does nothing while its work is under way. It keeps the focus, which
 * a `disabled` one would lose. In a form it stops Enter too.
 */
export function BusyButton ({ busy, onClick, ...props }: ComponentProps<'button'> & { busy: boolean }) {
  function click (event: MouseEvent<HTMLButtonElement>): void {
    if (busy) event.preventDefault()
    else onClick?.(event)
  }
  return <button type='button' {...props} aria-disabled={busy} onClick={click} />
}

/** Copies a text to the clipboard, and says so for two seconds; that it failed, until the next try. */
export function CopyButton ({ text, label = 'Copy', iconOnly = false }: { text: string, label?: string, iconOnly?: boolean }) {
  const [state, setState] = useState<'idle' | 'copied' | 'failed'>('idle')
  const says = state === 'copied' ? 'Copied' : label
  const copy = async ({ currentTarget }: MouseEvent<HTMLElement>) => {
    if (!await writeClipboard(text, currentTarget)) return setState('failed')
    setState('copied')
    setTimeout(() => setState('idle'), 2000)
  }
  return (
    <>
      <button type='button' className={iconOnly ? 'quiet icon-only' : 'quiet'} onClick={copy} aria-label={says} title={says}>
        <Icon name={state === 'copied' ? 'check' : 'copy'} />{!iconOnly && says}
      </button>
      <span className={state === 'failed' ? 'muted hint' : 'visually-hidden'} role='status'>
        {{ idle: '', copied: 'Copied', failed: 'The browser does not let this page copy (it is not on https). Select the text and copy it.' }[state]}
      </span>
    </>
  )
}

/** @param button what was clicked; it has the focus afterwards */
async function writeClipboard (text: string, button: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copySelected(text, button)
  }
}

/** Copies as a person would: pages on plain http other than localhost have no `navigator.clipboard`. */
function copySelected (text: string, button: HTMLElement): boolean {
  const field = document.createElement('textarea')
  field.className = 'visually-hidden'
  field.value = text
  // All that is outside an open dialog is inert.
  const place = button.closest('dialog') ?? document.body
  place.append(field)
  field.select()
  const copied = document.execCommand('copy')
  field.remove()
  button.focus()
  return copied
}
