import type { Model } from './models.ts'

/** The models that may be used, in the order in which they are shown. */
export class Catalog {
  #models: readonly Model[]
  #byId: ReadonlyMap<string, Model>

  constructor (models: readonly Model[]) {
    this.#models = models
    this.#byId = new Map(models.map(model => [model.id, model]))
  }

  /** The active model of that id. */
  find (id: string): Model | undefined {
    return this.#byId.get(id)
  }

  /** Every active model: chat first, then image, then speech. */
  list (): readonly Model[] {
    return this.#models
  }
}
