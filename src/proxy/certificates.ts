import { readFileSync } from 'node:fs'
import { createSecureContext, rootCertificates } from 'node:tls'
import { ConfigError } from '../config.ts'

/**
 * The certificate authorities for the inference service: the built-in ones, and
 * those of `UPSTREAM_CA_FILE` (PEM).
 * @throws ConfigError where the file cannot be used
 */
export function trustedAuthorities (file: string): string[] {
  try {
    const pem = readFileSync(file, 'utf8')
    if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw new Error('holds no PEM certificate')
    createSecureContext({ ca: pem })
    return [...rootCertificates, pem]
  } catch (error) {
    throw new ConfigError([`UPSTREAM_CA_FILE ${file}: ${(error as Error).message}`])
  }
}
