/** The kinds of database failure. */
export type FailureKind = 'unreachable' | 'lost' | 'refused' | 'missing' | 'unopenable' | 'full' | 'locked' | 'readonly' | 'denied' | 'gone' | 'damaged' | 'unknown'

/** The message for clients of each kind, without addresses or names of roles and tables. */
const MESSAGES: Record<FailureKind, string> = {
  unreachable: 'The database cannot be reached.',
  lost: 'The connection to the database was lost.',
  refused: 'The database refuses the login of the gateway.',
  missing: 'The database does not exist.',
  unopenable: 'The file of the database cannot be opened.',
  full: 'The disk of the database is full.',
  locked: 'The database is locked by another program.',
  readonly: 'The database is read-only.',
  denied: 'The database does not permit this to the gateway: its user lacks a right.',
  gone: 'The file of the database was deleted or replaced while the gateway was running. Move the same file back; or restore a backup and restart. A restart without the file begins a new, empty database.',
  damaged: 'The file of the database is damaged.',
  unknown: 'The database failed.'
}

const MAYBE = ' The change may have been made all the same: read the catalog before you repeat it.'

/** A failure of the database, by its cause. The original error is `cause`, for the log. */
export class StoreFailure extends Error {
  readonly kind: FailureKind
  /** The failure came during a commit: it is unknown whether the change was made. */
  readonly uncertain: boolean

  constructor (kind: FailureKind, cause: unknown, uncertain = false) {
    super(MESSAGES[kind] + (uncertain ? MAYBE : ''), { cause })
    this.name = 'StoreFailure'
    this.kind = kind
    this.uncertain = uncertain
  }

  /** Whether the database may answer again without an operator's help. */
  get passing (): boolean {
    return ['unreachable', 'lost', 'locked'].includes(this.kind)
  }

  /** Whether the database answers but refuses changes, so that a retry does not help. */
  get refusal (): boolean {
    return ['readonly', 'denied'].includes(this.kind)
  }
}

/** The error that the log shows: of a failure the driver's, because pino would write both messages as one. */
export function loggedError (error: unknown): unknown {
  return error instanceof StoreFailure ? error.cause : error
}

/** The message for the operator: of a failure with the driver's own, which names roles and paths. */
export function operatorMessage (error: Error): string {
  if (!(error instanceof StoreFailure)) return error.message
  const { message, code } = error.cause as NodeJS.ErrnoException
  // Node's error for a host with several addresses has a code and no message.
  return `${error.message.replace(/\.$/, '')}: ${message || code}`
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
/** An extended code: the file was moved or deleted since it was opened. */
const SQLITE_READONLY_DBMOVED = 1032

/** Codes of PostgreSQL (its manual, appendix A), whole or by class, and those of sockets. */
const POSTGRES: Record<string, FailureKind> = {
  28: 'refused',
  '3D000': 'missing',
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
  ENETUNREACH: 'unreachable'
}

/** Messages of pg errors that have no code. */
const POSTGRES_MESSAGES: Array<[RegExp, FailureKind]> = [
  // The last one is the pool's: all of its connections wait for the server.
  [/^Connection terminated due to connection timeout|^timeout expired|^timeout exceeded when trying to connect/, 'unreachable'],
  [/^Connection terminated|did not answer in time|^Client has encountered a connection error/, 'lost']
]

/** The kind of a database driver's error; undefined for any other error. */
export function failureKind (error: unknown): FailureKind | undefined {
  const { errcode, code, syscall, message } = error as { errcode?: number, code?: string, syscall?: string, message: string }
  if (code === 'ERR_SQLITE_ERROR') {
    if (errcode === SQLITE_READONLY_DBMOVED) return 'gone'
    // The low byte is the primary code; the rest details it.
    return SQLITE[(errcode ?? 0) & 0xff] ?? 'unknown'
  }
  // ENOENT of a Unix socket may pass; a missing certificate file will not.
  if (code === 'ENOENT' && syscall === 'connect') return 'unreachable'
  if (code !== undefined) {
    const known = POSTGRES[code] ?? POSTGRES[code.slice(0, 2)]
    if (known !== undefined) return known
    return /^[0-9A-Z]{5}$/.test(code) ? 'unknown' : undefined
  }
  return POSTGRES_MESSAGES.find(([pattern]) => pattern.test(message))?.[1]
}
