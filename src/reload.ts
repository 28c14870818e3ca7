/** What is read anew, and how. */
type Task = () => void | Promise<void>

/** Says how a task ended; `error` is undefined where it succeeded. */
export type ReloadReport = (name: string, error: unknown) => void

/**
 * What can be read anew while the gateway runs. Each task keeps what it had
 * where it fails, and the others run all the same.
 */
export class Reload {
  readonly #tasks = new Map<string, Task>()
  readonly #report: ReloadReport
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor (report: ReloadReport) {
    this.#report = report
  }

  /** @param name what is read, for the log */
  register (name: string, task: Task): void {
    this.#tasks.set(name, task)
  }

  /**
   * Runs every task, in the order of registration. A call during a run is
   * followed by one more run, because what it speaks of may have been read already.
   */
  async run (): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#runAll().finally(() => { this.#running = undefined })
      return await this.#running
    }
    this.#next ??= this.#running.then(async () => {
      this.#next = undefined
      await this.run()
    })
    await this.#next
  }

  async #runAll (): Promise<void> {
    for (const [name, task] of this.#tasks) {
      try {
        await task()
        this.#report(name, undefined)
      } catch (error) {
        this.#report(name, error)
      }
    }
  }
}
