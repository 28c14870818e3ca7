/** Where upstream requests go: the origin, and the path that stands for the gateway's `/v1`. */
export interface UpstreamTarget {
  readonly origin: string
  /** Without a trailing slash: `/v1`, `/api/v1`. */
  readonly basePath: string
}

/**
 * The gateway's `/v1` stands for the path of the service URL, and where that has
 * none, for `/v1`: `http://localhost:8001` and `http://host/api/v1` both do what
 * their owner expects.
 */
export function upstreamTarget (serviceUrl: string): UpstreamTarget {
  const { origin, pathname } = new URL(serviceUrl)
  const path = pathname.replace(/\/+$/, '')
  return { origin, basePath: path === '' ? '/v1' : path }
}
