/**
 * Finds the model that a request body names, and puts the default in where it
 * names none, while the body streams through. Every other byte passes unchanged.
 * After a throw the scanner stays broken: every further call throws.
 */
export interface ModelScanner {
  /**
   * Feeds bytes of the body and returns the bytes to send on now, in order: views
   * of the same memory wherever they are untouched. Holds back no more than it
   * needs to decide (a few bytes; in multipart, one delimiter line), as a copy: the
   * chunk's memory may be freed once what was returned has been used.
   * @throws {GatewayError} `invalid_json`, `invalid_multipart`, `duplicate_model`
   */
  write (chunk: Buffer): Buffer[]
  /**
   * The body is complete: returns what is still owed.
   * @throws {GatewayError} where the body is not whole
   */
  end (): Buffer[]
  /**
   * True once no further insertion or replacement can follow, so that `delta` is
   * final. The body can still turn out invalid, or name the model twice.
   */
  readonly settled: boolean
  /** Bytes added so far against the input; negative where a short name replaces `null`. */
  readonly delta: number
  /**
   * The model that the request will run on: the one named, or the default once it
   * has been put in. Undefined while not known, and for good where neither exists;
   * null for a named value that is not a string. A name of more than
   * {@link MODEL_LIMIT} raw bytes is cut there.
   */
  readonly model: string | null | undefined
}

/** Raw bytes kept of a model's name: ten times the longest id of the catalog. */
export const MODEL_LIMIT = 1024
