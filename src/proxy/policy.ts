import type { Model } from '../catalog/models.ts'
import { GatewayError } from '../errors.ts'
import type { ModelType } from './endpoints.ts'

/** The part of the catalog that the policy asks. */
export interface ActiveModels {
  find (id: string): Model | undefined
}

/**
 * `MODEL_POLICY=catalog`: only active models of the endpoint's type may be used.
 * Asked at each request, so that switching a model off takes effect at once.
 * @returns a function from the requested model to its refusal; undefined: it may be used
 */
export function modelPolicy (type: ModelType, models: ActiveModels): (model: string | null | undefined) => GatewayError | undefined {
  return model => {
    if (model === null) return new GatewayError('model_not_found', { message: 'The request names a model that is no string.', param: 'model' })
    if (model === undefined) {
      return new GatewayError('model_not_found', { message: `The request names no model, and there is no default ${type} model.`, param: 'model' })
    }
    if (models.find(model)?.type === type) return undefined
    return new GatewayError('model_not_found', { message: `The model '${model}' does not exist, or is no ${type} model.`, param: 'model' })
  }
}
