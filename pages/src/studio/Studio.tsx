import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { Notice, PageHeader } from '../shared/ui.tsx'
import { ChatView } from './chat/ChatView.tsx'
import { ImagesView } from './images/ImagesView.tsx'
import { Segments } from './fields.tsx'
import { KeyField } from './KeyField.tsx'
import { useListStatus } from './models/use-catalog.ts'
import { SpeechView } from './speech/SpeechView.tsx'
import { StudioContext, VIEWS, type View, type ViewField } from './studio-context.ts'

const NARROW = matchMedia('(max-width: 860px)')

/** The studio: chat, images and speech, each with its settings. What is under way goes on while another view is shown. */
export function Studio () {
  const [view, setView] = useHashView()
  const [settingsOpen, setSettingsOpen] = useState(false)
  const openSettings = () => setSettingsOpen(true)
  const closeSettings = () => setSettingsOpen(false)
  const narrow = useSyncExternalStore(listener => {
    NARROW.addEventListener('change', listener)
    return () => NARROW.removeEventListener('change', listener)
  }, () => NARROW.matches)
  const fields: Record<View, ViewField> = { chat: useRef(null), images: useRef(null), speech: useRef(null) }
  const listStatus = useListStatus()

  return (
    <>
      <PageHeader current='studio'><Segments label='What to try' options={VIEWS} value={view} onChange={setView} /></PageHeader>
      <main>
        <h1 className='visually-hidden' tabIndex={-1}>Studio: {VIEWS[view]}</h1>
        <KeyField onChanged={() => fields[view].current?.focus()} />
        {listStatus !== undefined && <Notice tone='warning'>{listStatus}</Notice>}
        {([['chat', ChatView], ['images', ImagesView], ['speech', SpeechView]] as const).map(([name, Content]) => (
          <div key={name} className='view' hidden={view !== name}>
            <StudioContext value={{ field: fields[name], narrow, settingsOpen: settingsOpen && view === name, openSettings, closeSettings }}><Content /></StudioContext>
          </div>
        ))}
      </main>
    </>
  )
}

/** The view that the address names after `#`, so that it can be linked to. */
function useHashView (): [View, (view: View) => void] {
  const read = () => Object.keys(VIEWS).find(name => name === location.hash.slice(1)) as View ?? 'chat'
  const [view, setView] = useState(read)
  useEffect(() => {
    const follow = () => setView(read())
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  return [view, next => { location.hash = next }]
}
