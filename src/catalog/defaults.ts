import type { Config } from '../config.ts'
import type { Model, ModelType } from './models.ts'

const DEFAULTS = {
  DEFAULT_CHAT_MODEL: 'chat',
  DEFAULT_IMAGE_MODEL: 'image',
  DEFAULT_SPEECH_MODEL: 'speech'
} as const satisfies Partial<Record<keyof Config, ModelType>>

/**
 * A warning for each default model that the catalog does not have with that type.
 * It names the setting and the model. `absence` explains a missing model. Warnings
 * only: the inference service may still know the model.
 */
export function defaultModelWarnings (models: readonly Model[], config: Pick<Config, keyof typeof DEFAULTS>, absence = 'which is not in the catalog'): string[] {
  return Object.entries(DEFAULTS).flatMap(([setting, type]) => {
    const id = config[setting as keyof typeof DEFAULTS]
    if (id === undefined) return []
    const model = models.find(model => model.id === id)
    if (model === undefined) return [`${setting} names the model '${id}', ${absence}`]
    return model.type === type ? [] : [`${setting} names the model '${id}', which is of type ${model.type}, not ${type}`]
  })
}
