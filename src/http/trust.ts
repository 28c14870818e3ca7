import { compile } from '@fastify/proxy-addr'
import { withoutPort } from './address.ts'

/** Whether the address, `hop` steps from the gateway (0: the peer itself), is a trusted proxy. */
export type Trust = (address: string, hop: number) => boolean

/**
 * `TRUST_PROXY` → {@link Trust}.
 * @param setting true: everyone; false: no one; a number of hops; or addresses, subnets and names such as `loopback`, separated by commas
 * @throws TypeError for an address that is none
 */
export function compileTrust (setting: boolean | number | string): Trust {
  if (typeof setting === 'boolean') return () => setting
  if (typeof setting === 'number') return (_address, hop) => hop < setting
  const trusts = compile(setting.split(',').map(part => part.trim()))
  return (address, hop) => trusts(withoutPort(address), hop)
}
