/** The client closed its connection: nobody is left to answer. */
export class ClientLeftError extends Error {
  override readonly name = 'ClientLeftError'
}
