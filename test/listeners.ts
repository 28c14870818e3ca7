import { readFileSync } from 'node:fs'

/** Sockets that listen on the port, as several can with SO_REUSEPORT. Linux only: state 0A in /proc/net/tcp (proc(5)). */
export function listeners (port: number): number {
  const address = `:${port.toString(16).toUpperCase().padStart(4, '0')} `
  return readFileSync('/proc/net/tcp', 'latin1').split('\n').filter(line => line.includes(address) && / 0A /.test(line)).length
}
