import { LogController, type FastifyReply, type FastifyRequest } from 'fastify'
import cluster from 'node:cluster'
import { hostname } from 'node:os'
import pino from 'pino'
import { atTurnEnd, type TurnEndTask } from '../src/http/turn-end.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** Whoever answers writes the log line, too. */
    ownLog: boolean
  }
}

/** Bytes written at once: in a worker no more than a pipe takes whole, so that the lines of several do not mix. */
const BLOCK = cluster.isWorker ? 4096 : 65536
/** Bytes kept for a reader of the log that has stalled; what is more is lost. */
const BACKLOG = 16 * 1024 * 1024

/**
 * Standard output, written in blocks and without waiting: a system call for each
 * line took 9 of the 110 µs of a proxied request, and one that blocks would stop
 * every stream. What is left is written when the process exits.
 *
 * It is given bytes: of strings, SonicBoom copies and counts the whole block
 * again for each line, 4 µs with 16 KB where bytes take 1.4.
 */
export function logDestination (): pino.DestinationStream {
  const settings = { dest: 1, sync: false, minLength: BLOCK - 1, maxWrite: BLOCK, maxLength: BACKLOG, periodicFlush: 100, contentMode: 'buffer' } as const
  const output = pino.destination(settings) as unknown as { write (bytes: Buffer): boolean }
  return { write: lines => { for (const block of blocksOf(lines, BLOCK)) output.write(block) } }
}

/** Whole lines in blocks of at most that many bytes; a line that is longer has one to itself. */
export function blocksOf (lines: string, limit: number): Buffer[] {
  const blocks: Buffer[] = []
  let rest = Buffer.from(lines)
  while (rest.length > limit) {
    const lastEnd = rest.lastIndexOf('\n', limit - 1)
    const end = lastEnd === -1 ? rest.indexOf('\n') : lastEnd
    if (end === -1) break
    blocks.push(rest.subarray(0, end + 1))
    rest = rest.subarray(end + 1)
  }
  if (rest.length > 0) blocks.push(rest)
  return blocks
}

/** Milliseconds as they are logged: to the microsecond. All 17 digits of a number took 0.7 µs more to write. */
export function logged (milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000
}

/** What a line says beside its level, its time and its process; what is undefined is not written. */
interface Fields {
  readonly reqId: string
  readonly msg: string
  readonly [name: string]: unknown
}

const LEVELS = pino.levels.values as Record<'info' | 'warn' | 'error', number>
/** What pino writes behind the time of its own lines. */
const PROCESS = `"pid":${process.pid},"hostname":${JSON.stringify(hostname())}`

/**
 * One line for each answered request, in place of Fastify's two. Proxied ones
 * have a line of their own (plugins/proxy.ts), which is also written where no
 * answer was finished.
 *
 * The lines are shaped as pino's, among which they stand. The lines of one turn
 * of the event loop are formatted together at its end, by V8's own serialiser:
 * through pino, line by line, a chat request took 87 µs where it takes 79.
 */
export class RequestLog extends LogController implements TurnEndTask {
  readonly #destination: pino.DestinationStream
  readonly #lowest: number
  #lines: { readonly level: number, readonly fields: Fields }[] = []

  /** @param level the lowest that is written */
  constructor (destination: pino.DestinationStream, level: string) {
    super()
    this.#destination = destination
    this.#lowest = pino.levels.values[level] ?? Infinity
  }

  /** Writes a line by the end of this turn. */
  add (level: keyof typeof LEVELS, fields: Fields): void {
    if (LEVELS[level] < this.#lowest) return
    if (this.#lines.push({ level: LEVELS[level], fields }) === 1) atTurnEnd(this)
  }

  onTurnEnd (): void {
    const lines = this.#lines
    this.#lines = []
    const now = Date.now()
    let text = ''
    for (const { level, fields } of lines) text += `{"level":${level},"time":${now},${PROCESS},${JSON.stringify(fields).slice(1)}\n`
    this.#destination.write(text)
  }

  override incomingRequest (): void {}

  override requestCompleted (error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    if (reply.ownLog) return
    const broken = error instanceof Error
    this.add(broken ? 'error' : 'info', {
      reqId: request.id,
      method: request.method,
      path: request.routeOptions.url ?? request.url.split('?', 1)[0],
      status: reply.statusCode,
      durationMs: logged(reply.elapsedTime),
      err: broken ? pino.stdSerializers.err(error) : undefined,
      msg: broken ? 'answer broke off' : 'answered'
    })
  }
}
