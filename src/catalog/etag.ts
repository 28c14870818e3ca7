import { createHash } from 'node:crypto'

/** A strong entity tag: a hash of the bytes. */
export function entityTag (bytes: Uint8Array | string): string {
  return tagOfDigest(createHash('sha256').update(bytes).digest())
}

/** The tag of content with a known SHA-256. */
export function tagOfDigest (sha256: Buffer): string {
  return `"${sha256.toString('base64url').slice(0, 22)}"`
}

// A comma may stand inside the quotes of a tag, so a list cannot simply be split.
const TAG = /(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g

/** Whether `If-None-Match` names the tag, by weak comparison (RFC 9110 sections 8.8.3.2 and 13.1.2). */
export function matchesWeakly (header: string | undefined, tag: string): boolean {
  if (header === undefined) return false
  if (header === tag || header.trim() === '*') return true
  return [...header.matchAll(TAG)].some(match => match[1] === tag)
}

/** Whether `If-Match` names the tag, by strong comparison: a weak tag never does (RFC 9110 section 13.1.1). */
export function matchesStrongly (header: string, tag: string): boolean {
  if (header === tag || header.trim() === '*') return true
  return [...header.matchAll(TAG)].some(match => match[0] === tag)
}
