import type { Model, ModelType } from '../catalog/models.ts'
import { GatewayError } from '../errors.ts'

/** The part of the catalog that the policy uses. */
export interface ActiveModels {
  find (id: string): Model | undefined
}

/** The model that a request body names. */
export interface NamedModel {
  readonly model: string | null | undefined
  readonly namedBy: string | undefined
}

/** Keys that name further models beside `model`: OpenRouter's, and LiteLLM's `fallbacks`. */
export const FURTHER_MODELS: readonly string[] = ['models', 'preset', 'fallbacks']

/**
 * `MODEL_POLICY=catalog`: only active models of the endpoint's type may be used.
 * An endpoint without a type takes every active model, and requests that name
 * none. Asked at each request, so that switching a model off takes effect at once.
 * @returns a function from what a request names to its refusal; undefined: it may go on
 */
export function modelPolicy (type: ModelType | undefined, models: ActiveModels): (named: NamedModel) => GatewayError | undefined {
  const kind = type === undefined ? 'model' : `${type} model`
  const refuse = (message: string, param = 'model') => new GatewayError('model_not_found', { message, param })
  return ({ model, namedBy }) => {
    if (namedBy !== undefined && (model === undefined || FURTHER_MODELS.includes(namedBy))) {
      return refuse(`The request names its model by \`${namedBy}\`, which this gateway does not allow.`, namedBy)
    }
    if (model === null) return refuse('`model` must be a string with the id of a model in the catalog.')
    if (model === undefined) return type === undefined ? undefined : refuse(`The request names no model, and there is no default ${kind}.`)
    const found = models.find(model)
    if (found !== undefined && (type === undefined || found.type === type)) return undefined
    return refuse(`The model '${model}' does not exist, or is not a ${kind}.`)
  }
}
