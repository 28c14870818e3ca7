import { useState } from 'react'
import { Icon } from '../../shared/icons.tsx'
import { CopyButton } from '../../shared/ui.tsx'
import { YieldingButton } from '../YieldingButton.tsx'
import type { UserMessage } from './conversation.ts'

/** What the person said; it can be edited, which asks anew. */
export function Said ({ message, onEdit }: { message: UserMessage, onEdit: (text: string) => void }) {
  const [draft, setDraft] = useState<string>()
  const [cancelled, setCancelled] = useState(false)
  const { text, pictures } = message
  if (draft !== undefined) {
    const close = (cancelled: boolean) => { setDraft(undefined); setCancelled(cancelled) }
    const save = () => { close(false); onEdit(draft) }
    return (
      <article className='said editing' aria-label='You'>
        <form className='stack' onSubmit={event => { event.preventDefault(); save() }} onKeyDown={event => { if (event.key === 'Escape') close(true) }}>
          {/* The person has just asked to edit: the focus belongs here. */}
          <textarea autoFocus rows={3} aria-label='Edit your message' value={draft} onChange={event => setDraft(event.target.value)} />
          <div className='row'>
            <YieldingButton type='submit' className='primary' disabled={draft.trim() === '' && pictures.length === 0}>Send again</YieldingButton>
            <button type='button' onClick={() => close(true)}>Cancel</button>
          </div>
        </form>
      </article>
    )
  }
  return (
    <article className='said' aria-label='You'>
      <div className='bubble'>
        {pictures.map((url, index) => <img key={url} src={url} alt={`Attached picture ${index + 1}`} />)}
        {text}
      </div>
      <div className='row tools'>
        <CopyButton text={text} iconOnly label='Copy your message' />
        {/* After Cancel the focus is back where it was before the edit. */}
        <button type='button' autoFocus={cancelled} className='quiet icon-only' aria-label='Edit your message' title='Edit' onClick={() => setDraft(text)}><Icon name='edit' /></button>
      </div>
    </article>
  )
}
