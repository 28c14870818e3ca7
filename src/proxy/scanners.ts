import type { IncomingHttpHeaders } from 'node:http'
import { JsonModelScanner } from '../body/json.ts'
import { boundaryOf, MultipartModelScanner } from '../body/multipart.ts'
import type { ModelScanner } from '../body/scanner.ts'
import { GatewayError } from '../errors.ts'
import type { Endpoint, ModelType } from './endpoints.ts'

/** The default model of each type; a type without one gets nothing put in. */
export type DefaultModels = Readonly<Partial<Record<ModelType, string>>>

/**
 * The scanner that a request's body goes through; undefined where the gateway
 * need not know the model: no default of that type, so nothing to put in.
 * @throws GatewayError unsupported_media_type, invalid_multipart
 */
export function scannerFor (endpoint: Endpoint, headers: IncomingHttpHeaders, defaults: DefaultModels): ModelScanner | undefined {
  const model = endpoint.modelType === undefined ? undefined : defaults[endpoint.modelType]
  if (model === undefined || endpoint.body === 'none') return undefined
  return endpoint.body === 'json'
    ? new JsonModelScanner(model)
    : new MultipartModelScanner(model, boundaryOf(multipartType(headers)))
}

function multipartType (headers: IncomingHttpHeaders): string {
  const type = headers['content-type'] ?? ''
  if (!/^multipart\/form-data\s*(;|$)/i.test(type)) {
    throw new GatewayError('unsupported_media_type', { message: 'This route takes multipart/form-data.' })
  }
  return type
}
