const POSTGRES_PORT = '5432'

/**
 * Identifies the database that a `DATABASE_URL` names. Who logs in, and how the
 * connection is made, does not matter. @param url one that the store accepts
 */
export function databaseIdentity (url: string): string {
  if (url.startsWith('sqlite:')) return url
  const { hostname, port, pathname, searchParams: query } = new URL(url)
  // pg prefers the host and port of the query.
  const host = query.get('host') || decodeURIComponent(hostname)
  const identity = `postgres://${host}:${query.get('port') || port || POSTGRES_PORT}${pathname}`
  // They may choose another schema.
  const options = query.get('options')
  return options === null ? identity : `${identity}?${new URLSearchParams({ options })}`
}
