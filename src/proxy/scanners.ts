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
 * need not know the model: there is nothing to put in, and no policy to hold to.
 * @param policed the model is checked against the catalog
 * @throws GatewayError unsupported_media_type, invalid_multipart
 */
export function scannerFor (endpoint: Endpoint, headers: IncomingHttpHeaders, defaults: DefaultModels, policed: boolean): ModelScanner | undefined {
  if (endpoint.modelType === undefined) return undefined
  const model = defaults[endpoint.modelType]
  if (model === undefined && !policed) return undefined
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
