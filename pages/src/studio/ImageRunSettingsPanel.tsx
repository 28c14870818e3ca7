import { useModels } from 'model-gateway-client/react'
import { useMemo } from 'react'
import { NumberField } from './fields.tsx'
import { IMAGE_MODELS } from './models/initial-models.ts'
import { ModelPicker } from './models/ModelPicker.tsx'
import { useDefaultModels, useGateway } from './models/use-catalog.ts'

/** What pictures are made with; null leaves a setting to the gateway or the model. */
export interface ImageRunSettings {
  model: string | null
  size: string | null
  count: number | null
}

interface ImageRunSettingsPanelProps {
  settings: ImageRunSettings
  onChange: (settings: ImageRunSettings) => void
}

const SIZES = { '512x512': 'Small square, 512 × 512', '1024x1024': 'Square, 1024 × 1024', '1536x1024': 'Wide, 1536 × 1024', '1024x1536': 'Tall, 1024 × 1536' }

/** The settings of pictures. */
export function ImageRunSettingsPanel ({ settings, onChange }: ImageRunSettingsPanelProps) {
  const models = useModels('image', IMAGE_MODELS, useGateway())
  const defaults = useDefaultModels()
  const choices = useMemo(() => models.map(model => ({ ...model, fact: model.provider })), [models])
  const set = (change: Partial<ImageRunSettings>) => onChange({ ...settings, ...change })
  return (
    <>
      <ModelPicker choices={choices} value={settings.model} onChange={model => set({ model })} defaultModel={defaults.image} />
      <label className='field'>
        Size
        <select value={settings.size ?? ''} onChange={event => set({ size: event.target.value || null })}>
          <option value=''>Model’s default</option>
          {Object.entries(SIZES).map(([size, name]) => <option key={size} value={size}>{name}</option>)}
        </select>
      </label>
      <NumberField label='Number of pictures' min={1} max={10} value={settings.count} onChange={count => set({ count })} />
    </>
  )
}
