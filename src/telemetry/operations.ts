import { METHODS, STATUS_CODES } from 'node:http'
import type { ObservedExchange } from './observation.ts'

/**
 * `gen_ai.operation.name` of each endpoint: a well-known value of the conventions
 * where one applies, else a name of the gateway's, which they allow.
 */
const OPERATIONS: Readonly<Record<string, string>> = {
  'chat/completions': 'chat',
  responses: 'chat',
  messages: 'chat',
  'messages/count_tokens': 'count_tokens',
  completions: 'text_completion',
  embeddings: 'embeddings',
  'images/generations': 'generate_content',
  'images/edits': 'generate_content',
  'images/variations': 'generate_content',
  'audio/speech': 'speech',
  'audio/transcriptions': 'transcription',
  'audio/translations': 'translation',
  moderations: 'moderation',
  rerank: 'rerank'
}

/** Operations whose answers state their tokens if the service supports it. */
const WITH_USAGE = new Set(['chat', 'text_completion', 'embeddings'])

/** The operation's name in the GenAI conventions. */
export function operationName (operation: string): string {
  return OPERATIONS[operation] ?? (operation.startsWith('responses/') ? 'fetch_response' : 'other')
}

/** Whether a complete answer should state its tokens. */
export function statesUsage (record: ObservedExchange): boolean {
  return record.outcome === 'complete' && record.status !== undefined && record.status < 300 && WITH_USAGE.has(operationName(record.operation))
}

/**
 * `error.type` of the GenAI conventions: the code of the gateway's own error,
 * `client_left`, or the status of an error that was passed on. Undefined: no error.
 */
export function errorType ({ outcome, errorCode, status = 0 }: ObservedExchange): string | undefined {
  if (outcome === 'client-left') return 'client_left'
  if (outcome !== 'complete') return errorCode ?? 'internal_error'
  return status >= 400 ? knownStatus(status) : undefined
}

/** A status as a label. An unregistered one becomes its class, so that a service cannot create labels. */
export function knownStatus (status: number): string {
  return STATUS_CODES[status] === undefined ? `${Math.floor(status / 100)}xx` : String(status)
}

const KNOWN_METHODS = new Set(METHODS)

/** A method as a label. */
export function knownMethod (method: string): string {
  return KNOWN_METHODS.has(method) ? method : '_OTHER'
}
