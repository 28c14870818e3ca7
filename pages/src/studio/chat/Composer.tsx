import { useContext, useId, useState, type KeyboardEvent, type MouseEvent } from 'react'
import { Icon } from '../../shared/icons.tsx'
import { PictureInput } from '../PictureInput.tsx'
import { readAsDataUrl } from '../files.ts'
import { StudioContext } from '../studio-context.ts'
import { YieldingButton } from '../YieldingButton.tsx'

interface ComposerProps {
  busy: boolean
  /** Whether the model is known to read pictures. */
  takesPictures: boolean
  onSend: (text: string, pictures: readonly string[]) => void
  onStop: () => void
}

/** Where the person writes; while an answer is under way, its button stops it. */
export function Composer ({ busy, takesPictures, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState('')
  const [pictures, setPictures] = useState<readonly string[]>([])
  const hint = useId()
  const { field } = useContext(StudioContext)
  const attached = takesPictures ? pictures : []
  const empty = text.trim() === '' && attached.length === 0

  const send = () => {
    if (busy || empty) return
    onSend(text.trim(), attached)
    setText('')
    setPictures([])
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    send()
  }
  return (
    <form className='composer' onSubmit={event => { event.preventDefault(); send() }}>
      {attached.length > 0 && (
        <ul className='attached' aria-label='Attached pictures'>
          {attached.map((url, index) => (
            <li key={url}>
              <img src={url} alt={`Picture ${index + 1}`} />
              <YieldingButton className='icon-only' aria-label={`Remove picture ${index + 1}`} onClick={() => setPictures(pictures.filter(other => other !== url))}><Icon name='close' /></YieldingButton>
            </li>
          ))}
        </ul>
      )}
      <textarea
        ref={field} rows={1} value={text} onChange={event => setText(event.target.value)} onKeyDown={onKeyDown}
        aria-label='Message' aria-describedby={hint} placeholder='Ask anything' enterKeyHint='send'
      />
      <div className='row spread bar'>
        <div className='row'>
          {takesPictures && <PictureInput label='Attach a picture' onFile={async file => setPictures([...pictures, await readAsDataUrl(file)])} />}
          <span id={hint} className='muted hint'>Enter sends, Shift+Enter starts a line</span>
        </div>
        {busy
          ? <YieldingButton key='stop' className='stop' onMouseDown={refuseSecond} onClick={event => { if (!isSecond(event)) onStop() }}><Icon name='stop' />Stop</YieldingButton>
          : <YieldingButton key='send' type='submit' className='primary' disabled={empty} onMouseDown={refuseSecond} onClick={refuseSecond}><Icon name='arrowUp' />Send</YieldingButton>}
      </div>
    </form>
  )
}

/** Whether it is the second click of a double-click. Send and Stop take each other's place, so that it would undo what the first has done. */
const isSecond = ({ detail }: MouseEvent) => detail > 1

/** Neither the click's work nor the focus. */
function refuseSecond (event: MouseEvent): void {
  if (isSecond(event)) event.preventDefault()
}
