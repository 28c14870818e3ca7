import { useContext, useEffect, useState, useSyncExternalStore } from 'react'
import { Icon } from '../../shared/icons.tsx'
import { CopyButton } from '../../shared/ui.tsx'
import { useDefaultModels } from '../models/use-catalog.ts'
import { RunCard, usedModel } from '../RunCard.tsx'
import { Runs, type Run } from '../runs.ts'
import { SettingsFrame } from '../SettingsFrame.tsx'
import { SpeechRunSettingsPanel, type SpeechRunSettings } from '../SpeechRunSettingsPanel.tsx'
import { StudioContext } from '../studio-context.ts'
import { Toolbar } from '../Toolbar.tsx'
import { speakTask, transcribeTask, type Spoken } from './tasks.ts'

const START: SpeechRunSettings = { task: 'speak', models: { speak: null, transcribe: null }, voice: 'alloy', format: 'mp3' }

/** Text to audio, and audio to text. */
export function SpeechView () {
  const [runs] = useState(() => new Runs<Spoken>())
  const list = useSyncExternalStore(runs.subscribe, runs.list)
  const [settings, setSettings] = useState(START)
  return (
    <>
      <section className='stage' aria-label='Speech'>
        <Toolbar />
        {settings.task === 'speak'
          ? <SpeakForm onSpeak={text => runs.start(speakTask(text, settings))} />
          : <TranscribeForm onFile={file => runs.start(transcribeTask(file, settings))} />}
        <div className='scroll'>
          <div className='column stack'>
            {list.length === 0 && <div className='welcome'><h2>Text to speech, or speech to text</h2><p className='muted'>Have a text spoken, or a recording transcribed. Choose which one in the settings.</p></div>}
            {list.map(run => <SpokenCard key={run.id} run={run} runs={runs} />)}
          </div>
        </div>
        <p className='visually-hidden' role='status'>{list[0] === undefined ? '' : { running: 'Under way.', done: 'Ready.', stopped: 'Stopped.', failed: '' }[list[0].state]}</p>
      </section>
      <SettingsFrame title='Speech run settings'><SpeechRunSettingsPanel settings={settings} onChange={setSettings} /></SettingsFrame>
    </>
  )
}

function SpeakForm ({ onSpeak }: { onSpeak: (text: string) => void }) {
  const [text, setText] = useState('')
  const { field } = useContext(StudioContext)
  const speak = () => { if (text.trim() !== '') onSpeak(text.trim()) }
  return (
    <form
      className='composer' onSubmit={event => { event.preventDefault(); speak() }}
      onKeyDown={event => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) speak() }}
    >
      <textarea ref={field} rows={3} aria-label='Text to speak' value={text} onChange={event => setText(event.target.value)} placeholder='What should be said' />
      <div className='row spread bar'>
        <span className='muted hint'>{text.length} characters</span>
        <button type='submit' className='primary' disabled={text.trim() === ''}><Icon name='speaker' />Speak</button>
      </div>
    </form>
  )
}

function TranscribeForm ({ onFile }: { onFile: (file: File) => void }) {
  const [file, setFile] = useState<File>()
  const { field } = useContext(StudioContext)
  return (
    <form className='composer' onSubmit={event => { event.preventDefault(); if (file !== undefined) onFile(file) }}>
      <label className='field'>
        Audio file
        <input ref={field} type='file' accept='audio/*,video/mp4,video/webm' onChange={event => setFile(event.target.files?.[0])} />
      </label>
      <div className='row spread bar'>
        <span className='muted hint'>{file === undefined ? 'mp3, wav, m4a, webm and others' : size(file.size)}</span>
        <button type='submit' className='primary' disabled={file === undefined}><Icon name='mic' />Transcribe</button>
      </div>
    </form>
  )
}

const size = (bytes: number) => bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`

function SpokenCard ({ run, runs }: { run: Run<Spoken>, runs: Runs<Spoken> }) {
  const defaults = useDefaultModels()
  const { result } = run
  return (
    <RunCard run={run} runs={runs} model={result && usedModel(result.asked, result.model, defaults.speech)} waiting={<p className='muted waiting'><span className='dots' aria-hidden='true'><i /><i /><i /></span>Under way</p>}>
      {result !== undefined && 'audio' in result && <Player audio={result.audio} name={result.name} />}
      {result !== undefined && 'text' in result && (
        <>
          <p className='transcript'>{result.text}</p>
          <CopyButton text={result.text} label='Copy text' />
        </>
      )}
    </RunCard>
  )
}

function Player ({ audio, name }: { audio: Blob, name: string }) {
  const [url, setUrl] = useState<string>()
  useEffect(() => {
    const made = URL.createObjectURL(audio)
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [audio])
  return (
    <div className='row player'>
      <audio controls src={url} aria-label='The spoken text' />
      <a className='button quiet' href={url} download={name}><Icon name='download' />Download</a>
    </div>
  )
}
