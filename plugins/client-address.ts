import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import { withoutPort } from '../src/http/address.ts'

/**
 * The address of a client for limits. For IPv6 its /64, because one household or
 * machine usually has a whole /64.
 */
export function clientAddress ({ ip }: FastifyRequest): string {
  return normalizeIP(withoutPort(ip ?? ''))
}
