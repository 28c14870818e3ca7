/** The client closed its connection. */
export class ClientLeftError extends Error {
  override readonly name = 'ClientLeftError'
}
