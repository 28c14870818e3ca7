export { GatewayError, type GatewayErrorDetails } from './errors.js'
export { getModel, listModels, type RequestOptions } from './models.js'
export { modelsQuery, type ModelsQuery } from './query.js'
export type { Capabilities, ChatModel, ImageModel, ListedModel, MediaModel, Model, ModelType, SpeechModel } from './types.js'
