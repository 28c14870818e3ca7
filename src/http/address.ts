import { isIP } from 'node:net'

const WITH_PORT = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/

/**
 * An address without the port that some proxies write behind it in
 * `X-Forwarded-For` (Azure's application gateway, IIS): `1.2.3.4:5678`,
 * `[2001:db8::1]:5678`. Any other text is returned unchanged.
 */
export function withoutPort (address: string): string {
  if (isIP(address) !== 0) return address
  const [, v6, v4] = WITH_PORT.exec(address) ?? []
  const bare = v6 ?? v4
  return bare !== undefined && isIP(bare) !== 0 ? bare : address
}
