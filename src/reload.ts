/** Reads one source again. */
type Task = () => void | Promise<void>

/** Reports the end of a task; `error` is undefined if it succeeded. */
export type ReloadReport = (name: string, error: unknown) => void

/**
 * The tasks of a reload. A task that fails keeps its previous state, and does not
 * stop the others.
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
   * Runs every task, in the order of registration. A call during a run causes one
   * more run, because the run may have read its source before the change.
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
