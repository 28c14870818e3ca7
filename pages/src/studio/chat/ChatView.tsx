import { useContext, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { Icon } from '../../shared/icons.tsx'
import { SettingsFrame } from '../SettingsFrame.tsx'
import { RunSettingsPanel, type RunSettings } from '../RunSettingsPanel.tsx'
import { StudioContext } from '../studio-context.ts'
import { useCapabilities, useDefaultModels } from '../models/use-catalog.ts'
import { Toolbar } from '../Toolbar.tsx'
import { YieldingButton } from '../YieldingButton.tsx'
import { Answer } from './Answer.tsx'
import { Composer } from './Composer.tsx'
import { Conversation, type Message } from './conversation.ts'
import { Said } from './Said.tsx'

const START: RunSettings = { model: null, system: '', temperature: null, maxTokens: null }
const IDEAS = ['Explain how a transformer reads a sentence', 'Write a haiku about latency', 'Compare two sorting algorithms in a table']

/** A conversation beside the settings that its next answer is made with. */
export function ChatView () {
  const [conversation] = useState(() => new Conversation())
  const messages = useSyncExternalStore(conversation.subscribe, conversation.messages)
  const [settings, setSettings] = useState(START)
  const { field } = useContext(StudioContext)
  const defaults = useDefaultModels()
  const takesPictures = useCapabilities(settings.model ?? defaults.chat).input?.includes('image') === true
  const busy = messages.some(isUnderWay)
  const end = useStickToEnd(messages)
  const startAnew = () => {
    conversation.clear()
    // The button is disabled now, and loses the focus.
    field.current?.focus()
  }

  return (
    <>
      <section className='stage' aria-label='Chat'>
        <Toolbar>
          <button type='button' className='quiet' onClick={startAnew} disabled={messages.length === 0}><Icon name='plus' />New chat</button>
        </Toolbar>
        <div className='scroll' ref={end} tabIndex={0} role='log' aria-label='Conversation' aria-live='polite'>
          <div className='column'>
            {messages.length === 0 && <Welcome onPick={text => conversation.send(text, [], settings)} />}
            {messages.map(message => message.role === 'user'
              ? <Said key={message.id} message={message} onEdit={text => conversation.edit(message.id, text, settings)} />
              : <Answer key={message.id} message={message} onRetry={() => conversation.retry(message.id, settings)} />)}
          </div>
        </div>
        <Composer busy={busy} takesPictures={takesPictures} onSend={(text, pictures) => conversation.send(text, pictures, settings)} onStop={() => conversation.stop()} />
        <p className='visually-hidden' role='status'>{announce(messages.at(-1))}</p>
      </section>
      <SettingsFrame title='Run settings'><RunSettingsPanel settings={settings} onChange={setSettings} /></SettingsFrame>
    </>
  )
}

function Welcome ({ onPick }: { onPick: (text: string) => void }) {
  return (
    <div className='welcome'>
      <h2>What shall we try?</h2>
      <p className='muted'>Choose a model, ask it something, and see how fast it answers.</p>
      <ul className='ideas'>{IDEAS.map(idea => <li key={idea}><YieldingButton onClick={() => onPick(idea)}>{idea}</YieldingButton></li>)}</ul>
    </div>
  )
}

const isUnderWay = (message: Message) => message.role === 'assistant' && (message.state === 'waiting' || message.state === 'streaming')

function announce (last: Message | undefined): string {
  if (last?.role !== 'assistant') return ''
  return { waiting: 'Waiting for the answer.', streaming: 'The model is answering.', done: 'The answer is complete.', stopped: 'Stopped.', failed: '' }[last.state]
}

/** Keeps the end in sight while text comes in, unless the person has scrolled up. */
function useStickToEnd (messages: readonly Message[]) {
  const element = useRef<HTMLDivElement>(null)
  const sticks = useRef(true)
  useEffect(() => {
    const { current } = element
    if (current === null) return
    const look = () => { sticks.current = current.scrollHeight - current.scrollTop - current.clientHeight < 60 }
    current.addEventListener('scroll', look, { passive: true })
    return () => current.removeEventListener('scroll', look)
  }, [])
  useEffect(() => { if (sticks.current) element.current?.scrollTo(0, element.current.scrollHeight) }, [messages])
  return element
}
