import { useModels } from 'model-gateway-client/react'
import { useMemo } from 'react'
import { CHAT_MODELS } from './models/initial-models.ts'
import { ModelPicker } from './models/ModelPicker.tsx'
import { useDefaultModels, useGateway } from './models/use-catalog.ts'
import { NumberField, Slider } from './fields.tsx'

/** What a chat is run with; null leaves a setting to the gateway or the model. */
export interface RunSettings {
  model: string | null
  system: string
  temperature: number | null
  maxTokens: number | null
}

interface RunSettingsPanelProps {
  settings: RunSettings
  onChange: (settings: RunSettings) => void
}

/** The settings of a chat. */
export function RunSettingsPanel ({ settings, onChange }: RunSettingsPanelProps) {
  const models = useModels('chat', CHAT_MODELS, useGateway())
  const defaults = useDefaultModels()
  const choices = useMemo(() => models.map(model => ({ ...model, fact: contextLength(model.contextLength) })), [models])
  const set = (change: Partial<RunSettings>) => onChange({ ...settings, ...change })
  return (
    <>
      <ModelPicker choices={choices} value={settings.model} onChange={model => set({ model })} defaultModel={defaults.chat} />
      <label className='field'>
        System prompt
        <textarea rows={4} value={settings.system} onChange={event => set({ system: event.target.value })} placeholder='How the model should answer' />
      </label>
      <Slider label='Temperature' min={0} max={2} step={0.1} start={1} value={settings.temperature} onChange={temperature => set({ temperature })} />
      <NumberField label='Max tokens' min={1} value={settings.maxTokens} onChange={maxTokens => set({ maxTokens })} />
    </>
  )
}

/** 1048576 → 1M, 8192 → 8K: as their makers name them. */
function contextLength (tokens: number): string {
  const [size, unit] = tokens >= 2 ** 20 ? [2 ** 20, 'M'] as const : tokens >= 1024 ? [1024, 'K'] as const : [1, ''] as const
  return `${Number((tokens / size).toFixed(1))}${unit} context`
}
