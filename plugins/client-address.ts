import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import { withoutPort } from '../src/http/address.ts'

/**
 * The address by which limits know a client. Of IPv6 that is its /64, since a
 * household or a machine has a whole one at its disposal.
 */
export function clientAddress ({ ip }: FastifyRequest): string {
  return normalizeIP(withoutPort(ip ?? ''))
}
