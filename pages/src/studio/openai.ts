import type OpenAI from 'openai'
import { GATEWAY_URL } from '../shared/gateway.ts'
import { currentKey } from './session-key.ts'

/** The base URL for OpenAI clients. */
export const OPENAI_URL = `${GATEWAY_URL}openai/v1`

// Loads beside the first paint, not before it.
const loading = import('openai')

/**
 * The published OpenAI client, pointed at this gateway. It does not retry by
 * itself: the page tells what went wrong, and the person decides.
 */
export async function openai (): Promise<OpenAI> {
  const { OpenAI } = await loading
  const key = currentKey()
  return new OpenAI({
    baseURL: OPENAI_URL,
    apiKey: key ?? 'none',
    maxRetries: 0,
    // An image can take minutes; the gateway has time limits of its own.
    timeout: 20 * 60 * 1000,
    // The key is the person's own, for this tab.
    dangerouslyAllowBrowser: true,
    ...(key === undefined && { defaultHeaders: { authorization: null } })
  })
}
