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
  if (endpoint.body === 'multipart') return new MultipartModelScanner(model, boundaryOf(multipartType(headers)))
  if (policed) requireJson(headers)
  return new JsonModelScanner(model, { policed })
}

/** What is read as JSON here must not be a form to the upstream, nor be in another charset, where it may name another model. */
function requireJson (headers: IncomingHttpHeaders): void {
  if (/^(application\/([\w.-]+\+)?json\s*(;\s*charset="?utf-8"?\s*)?)?$/i.test(headers['content-type'] ?? '')) return
  throw new GatewayError('unsupported_media_type', { message: 'This route takes application/json, in UTF-8.' })
}

function multipartType (headers: IncomingHttpHeaders): string {
  const type = headers['content-type'] ?? ''
  if (!/^multipart\/form-data\s*(;|$)/i.test(type)) {
    throw new GatewayError('unsupported_media_type', { message: 'This route takes multipart/form-data.' })
  }
  return type
}
