import type { IncomingHttpHeaders } from 'node:http'
import { JsonModelScanner } from '../body/json.ts'
import { boundaryOf, MultipartModelScanner } from '../body/multipart.ts'
import type { ModelScanner } from '../body/scanner.ts'
import { UnreadBodyScanner } from '../body/unread.ts'
import type { ModelType } from '../catalog/models.ts'
import { GatewayError } from '../errors.ts'
import type { Endpoint } from './endpoints.ts'
import { FURTHER_MODELS } from './policy.ts'

/** The default model of each type. A type without one gets none added. */
export type DefaultModels = Readonly<Partial<Record<ModelType, string>>>

const JSON_TYPE = /^application\/([\w.-]+\+)?json\s*(;|$)/i
const JSON_IN_UTF8 = /^(application\/([\w.-]+\+)?json\s*(;\s*charset="?utf-8"?\s*)?)?$/i
const MULTIPART = /^multipart\//i
const FORM_DATA = /^multipart\/form-data\s*(;|$)/i

/**
 * The scanner for a request's body; undefined where the body goes upstream
 * unread. The `Content-Type` decides how a body is read: multipart, or else JSON.
 * @param strict the model is checked against the catalog (`MODEL_POLICY=catalog`)
 * @throws GatewayError unsupported_media_type, invalid_multipart
 */
export function scannerFor (endpoint: Endpoint, headers: IncomingHttpHeaders, defaults: DefaultModels, strict: boolean): ModelScanner | undefined {
  const type = headers['content-type'] ?? ''
  if (!endpoint.scanned) {
    // The bodies of an operator's own path are unknown, and there may be none. Under the policy, those that can be read are read.
    if (!strict || !hasBody(headers)) return undefined
    if (!JSON_TYPE.test(type) && !FORM_DATA.test(type)) return new UnreadBodyScanner()
  }
  const model = endpoint.modelType === undefined ? undefined : defaults[endpoint.modelType]
  // A compressed body must be decoded to be read. That is skipped if nothing can be added.
  if (model === undefined && !strict && isCompressed(headers)) return undefined
  if (MULTIPART.test(type)) {
    if (!FORM_DATA.test(type)) throw new GatewayError('unsupported_media_type', { message: 'This route takes application/json or multipart/form-data.' })
    return new MultipartModelScanner(model, boundaryOf(type), { strict })
  }
  // A body that is read as JSON here must not be a form or have another charset for the upstream, where it could name another model.
  if (strict && !JSON_IN_UTF8.test(type)) throw new GatewayError('unsupported_media_type', { message: 'This route takes application/json in UTF-8, or multipart/form-data.' })
  const { otherKeys = [] } = endpoint
  return new JsonModelScanner(model, { otherKeys: strict ? [...FURTHER_MODELS, ...otherKeys] : otherKeys, strict })
}

/** Whether there is a body. SDKs send the Content-Type of one with a GET or DELETE, too. */
function hasBody (headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0
}

/** Whether a body has a `Content-Encoding`. */
export function isCompressed (headers: IncomingHttpHeaders): boolean {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? ''
  return encoding !== '' && encoding !== 'identity'
}
