import { isIP } from 'node:net'

/** Whether a `Host` header, or its absence, names this gateway. */
export type HostCheck = (host: string | undefined) => boolean

const NAME_AND_PORT = /^(?:\[(?<v6>.*)\]|(?<name>[^:]*))(?::\d*)?$/

/**
 * Whether a request may be meant for a gateway that is open to all.
 *
 * A page of any site can have its own name resolve to 127.0.0.1 and then ask a
 * local gateway as if it were its own origin (DNS rebinding). Only names that no
 * such page can have are accepted: addresses; `localhost` and names below it (RFC
 * 6761 section 6.3); names without a dot, as containers have them, since the
 * public DNS has no such hosts; the machine's own; and those that the operator lists.
 * @param machine the machine's host name, under which multicast DNS knows it too (`NAME.local`)
 * @param allowed further names, without ports
 */
export function hostCheck (machine: string, allowed: readonly string[]): HostCheck {
  const known = new Set([machine, `${machine}.local`, ...allowed].map(plain))
  return host => {
    // HTTP/1.0 needs no Host; browsers send one.
    if (host === undefined || host === '') return true
    const { v6, name = '' } = NAME_AND_PORT.exec(host)?.groups ?? { name: host }
    if (v6 !== undefined) return true
    const wanted = plain(name)
    return isIP(wanted) !== 0 || !wanted.includes('.') || wanted.endsWith('.localhost') || known.has(wanted)
  }
}

/** In lower case, without the dot that ends a complete name. */
function plain (name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}

/** The host that a request is for: that of an absolute-form target, else `Host` (RFC 9112 section 3.2.2). */
export function targetHost (target: string, host: string | undefined): string | undefined {
  return /^https?:/i.test(target) ? URL.parse(target)?.host ?? host : host
}
