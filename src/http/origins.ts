const LOCAL = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/

/** Under which address the gateway was asked. */
export interface Asked {
  /** `http` or `https`. */
  readonly protocol: string
  /** With its port, as in `Host`. */
  readonly host: string
}

/** Which pages may use the gateway, by their origin (RFC 6454), as browsers send it in `Origin`. */
export class Origins {
  /** Pages of every origin may. */
  readonly any: boolean
  readonly #listed: ReadonlySet<string>
  readonly #own: string | undefined

  /**
   * @param listed the setting CORS_ORIGINS; empty: the pages of this machine
   * @param publicUrl the setting PUBLIC_URL
   */
  constructor (listed: readonly string[], publicUrl: string | undefined) {
    this.any = listed.includes('*')
    this.#listed = new Set(listed.map(asBrowsersSend))
    this.#own = publicUrl === undefined ? undefined : URL.parse(publicUrl)?.origin
  }

  /** Whether pages of this other origin may read answers. */
  isListed (origin: string): boolean {
    return this.any || (this.#listed.size === 0 ? LOCAL.test(origin) : this.#listed.has(origin))
  }

  /**
   * Whether the page comes from the gateway itself. An `https` page counts where
   * the gateway was asked by `http`: a proxy in front of it ends TLS.
   */
  isOwn (origin: string, { protocol, host }: Asked): boolean {
    if (origin === this.#own) return true
    const page = URL.parse(origin)
    if (page === null || (page.protocol !== `${protocol}:` && page.protocol !== 'https:')) return false
    // Written as a URL's host, without the scheme's default port.
    return page.host === URL.parse(`${page.protocol}//${host}`)?.host
  }
}

/** As a browser writes it in `Origin`: no path, no default port. */
function asBrowsersSend (origin: string): string {
  return /^https?:/i.test(origin) ? URL.parse(origin)?.origin ?? origin : origin
}
