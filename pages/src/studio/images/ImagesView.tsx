import { useContext, useEffect, useState, useSyncExternalStore } from 'react'
import { Icon } from '../../shared/icons.tsx'
import { ImageRunSettingsPanel, type ImageRunSettings } from '../ImageRunSettingsPanel.tsx'
import { useDefaultModels } from '../models/use-catalog.ts'
import { PictureInput } from '../PictureInput.tsx'
import { RunCard, usedModel } from '../RunCard.tsx'
import { Runs, type Run } from '../runs.ts'
import { SettingsFrame } from '../SettingsFrame.tsx'
import { StudioContext } from '../studio-context.ts'
import { Toolbar } from '../Toolbar.tsx'
import { YieldingButton } from '../YieldingButton.tsx'
import { pictureTask, type Picture, type Pictures } from './make.ts'

/** Pictures from a prompt, or from a picture and a prompt. */
export function ImagesView () {
  const [runs] = useState(() => new Runs<Pictures>())
  const list = useSyncExternalStore(runs.subscribe, runs.list)
  const [settings, setSettings] = useState<ImageRunSettings>({ model: null, size: null, count: null })
  const [source, setSource] = useState<File>()
  return (
    <>
      <section className='stage' aria-label='Images'>
        <Toolbar />
        <PromptForm source={source} onSource={setSource} onMake={prompt => runs.start(pictureTask(prompt, source, settings))} />
        <div className='scroll'>
          <div className='column stack'>
            {list.length === 0 && <div className='welcome'><h2>What shall it look like?</h2><p className='muted'>Describe a picture, or add one and say how to change it.</p></div>}
            {list.map(run => <PicturesCard key={run.id} run={run} runs={runs} onEdit={setSource} />)}
          </div>
        </div>
        <p className='visually-hidden' role='status'>{announce(list[0])}</p>
      </section>
      <SettingsFrame title='Image run settings'><ImageRunSettingsPanel settings={settings} onChange={setSettings} /></SettingsFrame>
    </>
  )
}

function announce (run: Run<Pictures> | undefined): string {
  if (run === undefined) return ''
  const count = run.result?.pictures.length ?? 0
  return { running: 'The pictures are being made.', done: count === 1 ? 'The picture is ready.' : `${count} pictures are ready.`, stopped: 'Stopped.', failed: '' }[run.state]
}

interface PromptFormProps {
  source: File | undefined
  onSource: (file: File | undefined) => void
  onMake: (prompt: string) => void
}

function PromptForm ({ source, onSource, onMake }: PromptFormProps) {
  const [prompt, setPrompt] = useState('')
  const { field } = useContext(StudioContext)
  const preview = useObjectUrl(source)
  const make = () => { if (prompt.trim() !== '') onMake(prompt.trim()) }
  return (
    <form
      className='composer' onSubmit={event => { event.preventDefault(); make() }}
      onKeyDown={event => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) make() }}
    >
      {source !== undefined && (
        <ul className='attached' aria-label='Picture to edit'>
          <li>
            <img src={preview} alt={source.name} />
            <YieldingButton className='icon-only' aria-label={`Remove ${source.name}`} onClick={() => onSource(undefined)}><Icon name='close' /></YieldingButton>
          </li>
        </ul>
      )}
      <textarea ref={field} rows={2} aria-label='Prompt' value={prompt} onChange={event => setPrompt(event.target.value)} placeholder={source === undefined ? 'A lighthouse at dawn, in watercolour' : 'How to change the picture'} />
      <div className='row spread bar'>
        <PictureInput label='Picture to edit' onFile={onSource} />
        <button type='submit' className='primary' disabled={prompt.trim() === ''}><Icon name='image' />{source === undefined ? 'Make pictures' : 'Edit picture'}</button>
      </div>
    </form>
  )
}

function useObjectUrl (file: File | undefined): string | undefined {
  const [url, setUrl] = useState<string>()
  useEffect(() => {
    if (file === undefined) return setUrl(undefined)
    const made = URL.createObjectURL(file)
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [file])
  return url
}

interface PicturesCardProps {
  run: Run<Pictures>
  runs: Runs<Pictures>
  onEdit: (file: File) => void
}

function PicturesCard ({ run, runs, onEdit }: PicturesCardProps) {
  const defaults = useDefaultModels()
  const { result } = run
  return (
    <RunCard run={run} runs={runs} model={result && usedModel(result.asked, result.model, defaults.image)} waiting={<div className='pictures'><div className='placeholder' /></div>}>
      <ul className='pictures'>
        {result?.pictures.map((picture, index) => <li key={index}><PictureFigure picture={picture} number={index + 1} title={run.task.title} onEdit={onEdit} /></li>)}
      </ul>
    </RunCard>
  )
}

function PictureFigure ({ picture: { url, elsewhere, prompt }, number, title, onEdit }: { picture: Picture, number: number, title: string, onEdit: (file: File) => void }) {
  if (elsewhere) return <p>The model left the picture at <a href={url} target='_blank' rel='noopener noreferrer'>another address</a>. This page does not load it.</p>
  const type = /^data:image\/(\w+)/.exec(url)?.[1] ?? 'png'
  const name = `picture-${number}.${type}`
  const edit = () => { onEdit(new File([bytesOf(url)], name, { type: `image/${type}` })) }
  return (
    <figure>
      <img src={url} alt={`${title} (${number})`} />
      {prompt !== undefined && <figcaption className='muted'>{prompt}</figcaption>}
      <div className='row'>
        <a className='button quiet' href={url} download={name}><Icon name='download' />Download</a>
        <button type='button' className='quiet' onClick={edit}><Icon name='edit' />Edit</button>
      </div>
    </figure>
  )
}

/** The bytes of a data: URL; `fetch` of one is not in the content policy. */
function bytesOf (url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(url.slice(url.indexOf(',') + 1)), character => character.charCodeAt(0))
}
