/** A change of a body: `removed` bytes from `position` on are replaced by `inserted`. */
export interface BodyEdit {
  readonly position: number
  readonly removed: number
  readonly inserted: Buffer
}

/**
 * Finds the model that a request body names, while the body arrives. It produces
 * no output: when the body is complete it says which model is named, and where
 * the default model has to be added. After an error every further call throws.
 */
export interface ModelScanner {
  /**
   * Reads the next bytes of the body. Keeps no view of the chunk's memory.
   * @throws {GatewayError} `invalid_json`, `invalid_multipart`, `duplicate_model`
   */
  write (chunk: Buffer): void
  /**
   * The body is complete: `model`, `namedBy` and `edit` are final.
   * @throws {GatewayError} where the body is not whole
   */
  end (): void
  /**
   * The model that the request will run on: the one named, or the default where
   * it is added. Undefined where neither exists. Null where `model` is not a
   * string, or is longer than {@link MODEL_LIMIT} raw bytes.
   */
  readonly model: string | null | undefined
  /** The key that names the model in another way than `model` does (`models`, `preset`, …). */
  readonly namedBy: string | undefined
  /** The change that adds the default model. Undefined: the body goes upstream as it came. */
  readonly edit: BodyEdit | undefined
}

/** Raw bytes of the longest model name that is read: ten times the longest id of the catalog. */
export const MODEL_LIMIT = 1024

/** The body with its edit, for a body in memory. */
export function edited (body: Buffer, edit: BodyEdit | undefined): Buffer {
  if (edit === undefined) return body
  return Buffer.concat([body.subarray(0, edit.position), edit.inserted, body.subarray(edit.position + edit.removed)])
}
