import { useModels } from 'model-gateway-client/react'
import { useMemo } from 'react'
import { Segments } from './fields.tsx'
import { SPEECH_MODELS } from './models/initial-models.ts'
import { ModelPicker } from './models/ModelPicker.tsx'
import { useDefaultModels, useGateway } from './models/use-catalog.ts'

/** What speech is made or read with; null leaves a setting to the gateway. */
export interface SpeechRunSettings {
  task: 'speak' | 'transcribe'
  /** One model for each task. */
  models: Record<SpeechRunSettings['task'], string | null>
  voice: string
  format: string
}

interface SpeechRunSettingsPanelProps {
  settings: SpeechRunSettings
  onChange: (settings: SpeechRunSettings) => void
}

const TASKS = { speak: 'Text to speech', transcribe: 'Speech to text' }
const VOICES = ['alloy', 'ash', 'ballad', 'coral', 'echo', 'fable', 'nova', 'onyx', 'sage', 'shimmer', 'verse']
const FORMATS = ['mp3', 'wav', 'opus', 'flac', 'aac']

/** The settings of speech. */
export function SpeechRunSettingsPanel ({ settings, onChange }: SpeechRunSettingsPanelProps) {
  const { task, models: chosen, voice, format } = settings
  const models = useModels('speech', SPEECH_MODELS, useGateway())
  const defaults = useDefaultModels()
  const choices = useMemo(() => models.map(model => ({ ...model, fact: model.provider })), [models])
  const set = (change: Partial<SpeechRunSettings>) => onChange({ ...settings, ...change })
  return (
    <>
      <Segments label='Task' options={TASKS} value={task} onChange={task => set({ task })} />
      <ModelPicker choices={choices} value={chosen[task]} onChange={model => set({ models: { ...chosen, [task]: model } })} defaultModel={defaults.speech} />
      {task === 'speak' && (
        <>
          <label className='field'>
            Voice
            <input list='voices' value={voice} onChange={event => set({ voice: event.target.value })} />
            <datalist id='voices'>{VOICES.map(name => <option key={name} value={name} />)}</datalist>
          </label>
          <label className='field'>
            Format
            <select value={format} onChange={event => set({ format: event.target.value })}>{FORMATS.map(name => <option key={name}>{name}</option>)}</select>
          </label>
        </>
      )}
    </>
  )
}
