/** What kept the database from doing its work. */
export type FailureKind = 'unreachable' | 'lost' | 'full' | 'locked' | 'readonly' | 'denied' | 'gone' | 'damaged' | 'unknown'

/** How each kind is told: to the client, who learns no address and no name of a role or table. */
const MESSAGES: Record<FailureKind, string> = {
  unreachable: 'The database cannot be reached.',
  lost: 'The connection to the database was lost.',
  full: 'The disk of the database is full.',
  locked: 'The database is locked by another program.',
  readonly: 'The database is read-only.',
  denied: 'The database does not permit this to the gateway: its user lacks a right.',
  gone: 'The file of the database was deleted or replaced while the gateway was running. Put it back or restart the gateway.',
  damaged: 'The file of the database is damaged.',
  unknown: 'The database failed.'
}

const MAYBE = ' The change may have been made all the same: read the catalog before you repeat it.'

/** A failure of the database, by its cause. The original error is `cause`, for the log. */
export class StoreFailure extends Error {
  readonly kind: FailureKind
  /** Whether the failure came while a change was being committed, so that nobody knows if it was made. */
  readonly uncertain: boolean

  constructor (kind: FailureKind, cause: unknown, uncertain = false) {
    super(MESSAGES[kind] + (uncertain ? MAYBE : ''), { cause })
    this.name = 'StoreFailure'
    this.kind = kind
    this.uncertain = uncertain
  }

  /** Whether the database may be there a little later without anybody's help. */
  get passing (): boolean {
    return ['unreachable', 'lost', 'locked'].includes(this.kind)
  }

  /** Whether the database is there and refuses changes, which trying again does not mend. */
  get refusal (): boolean {
    return ['readonly', 'denied'].includes(this.kind)
  }
}

/** Primary result codes of SQLite (https://www.sqlite.org/rescode.html). */
const SQLITE: Record<number, FailureKind> = {
  3: 'denied',
  5: 'locked',
  6: 'locked',
  8: 'readonly',
  10: 'unknown',
  11: 'damaged',
  13: 'full',
  14: 'denied',
  23: 'denied',
  26: 'damaged'
}
/** An extended code: the file has another name, or none, since it was opened. */
const SQLITE_READONLY_DBMOVED = 1032

/** Codes of PostgreSQL (its manual, appendix A), whole or by class, and those of sockets. */
const POSTGRES: Record<string, FailureKind> = {
  53100: 'full',
  53300: 'unreachable',
  25006: 'readonly',
  42501: 'denied',
  '55P03': 'locked',
  '40P01': 'locked',
  '57P01': 'lost',
  '57P02': 'lost',
  '57P03': 'unreachable',
  '25P03': 'lost',
  '08': 'lost',
  ECONNRESET: 'lost',
  EPIPE: 'lost',
  ETIMEDOUT: 'unreachable',
  ECONNREFUSED: 'unreachable',
  ENOTFOUND: 'unreachable',
  EAI_AGAIN: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENOENT: 'unreachable'
}

/** What pg throws without a code. */
const POSTGRES_MESSAGES: Array<[RegExp, FailureKind]> = [
  [/^Connection terminated due to connection timeout|^timeout expired/, 'unreachable'],
  [/^Connection terminated|did not answer in time|^Client has encountered a connection error/, 'lost']
]

/** The kind of an error that a database driver threw; nothing where it is an error of ours. */
export function failureKind (error: unknown): FailureKind | undefined {
  const { errcode, code, message } = error as { errcode?: number, code?: string, message: string }
  if (code === 'ERR_SQLITE_ERROR') {
    if (errcode === SQLITE_READONLY_DBMOVED) return 'gone'
    // The low byte is the kind; the rest says more about it.
    return SQLITE[(errcode ?? 0) & 0xff] ?? 'unknown'
  }
  if (code !== undefined) {
    const known = POSTGRES[code] ?? POSTGRES[code.slice(0, 2)]
    if (known !== undefined) return known
    return /^[0-9A-Z]{5}$/.test(code) ? 'unknown' : undefined
  }
  return POSTGRES_MESSAGES.find(([pattern]) => pattern.test(message))?.[1]
}
