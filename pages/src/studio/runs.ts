import type { SentRequest } from './code/snippets.ts'
import { describeFailure, type Failure } from './failures.ts'

/** What is asked of a model in one request that is answered in one piece. */
export interface Task<Result> {
  /** What the person asked for. */
  readonly title: string
  readonly request: SentRequest
  /** @param onSend called with a request that is sent in place of `request` */
  readonly work: (signal: AbortSignal, onSend: (request: SentRequest) => void) => Promise<Result>
}

/** A task under way, or its outcome. */
export interface Run<Result> {
  readonly id: number
  readonly task: Task<Result>
  /** The last request that was sent. */
  readonly request: SentRequest
  readonly state: 'running' | 'done' | 'stopped' | 'failed'
  readonly result?: Result
  readonly failure?: Failure
  /** Milliseconds. */
  readonly duration?: number
}

/** Runs of one view, newest first. */
export class Runs<Result> {
  #runs: ReadonlyArray<Run<Result>> = []
  #nextId = 1
  readonly #running = new Map<number, AbortController>()
  readonly #listeners = new Set<() => void>()

  readonly subscribe = (listener: () => void) => {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  readonly list = () => this.#runs

  start (task: Task<Result>): void {
    const id = this.#nextId++
    this.#become([{ id, task, request: task.request, state: 'running' }, ...this.#runs])
    this.#run(id, task)
  }

  retry (id: number): void {
    const run = this.#runs.find(run => run.id === id)
    if (run === undefined) return
    this.#put(id, { id, task: run.task, request: run.task.request, state: 'running' })
    this.#run(id, run.task)
  }

  /** Ends the request; the gateway then ends the upstream's work. */
  stop (id: number): void {
    this.#running.get(id)?.abort()
  }

  remove (id: number): void {
    this.stop(id)
    this.#become(this.#runs.filter(run => run.id !== id))
  }

  async #run (id: number, task: Task<Result>): Promise<void> {
    const running = new AbortController()
    this.#running.set(id, running)
    const start = performance.now()
    let { request } = task
    const end = (fields: Pick<Run<Result>, 'state' | 'result' | 'failure'>) => {
      this.#running.delete(id)
      this.#put(id, { id, task, request, duration: performance.now() - start, ...fields })
    }
    try {
      const result = await task.work(running.signal, sent => { request = sent })
      end({ state: 'done', result })
    } catch (error) {
      end(running.signal.aborted ? { state: 'stopped' } : { state: 'failed', failure: describeFailure(error) })
    }
  }

  #put (id: number, next: Run<Result>): void {
    this.#become(this.#runs.map(run => run.id === id ? next : run))
  }

  #become (runs: ReadonlyArray<Run<Result>>): void {
    this.#runs = runs
    for (const listener of this.#listeners) listener()
  }
}
