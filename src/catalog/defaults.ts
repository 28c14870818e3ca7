import type { Config } from '../config.ts'
import type { Model, ModelType } from './models.ts'

const DEFAULTS = {
  DEFAULT_CHAT_MODEL: 'chat',
  DEFAULT_IMAGE_MODEL: 'image',
  DEFAULT_SPEECH_MODEL: 'speech'
} as const satisfies Partial<Record<keyof Config, ModelType>>

/**
 * A sentence for each default model that the catalog does not have as a model of
 * that type, naming setting and model. `absence` says of a missing one what that
 * means. Warnings only: the inference service may know the model all the same.
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
