/**
 * The gateway's address, with a final slash: the directory of this page, so
 * that a path prefix in front of the gateway is kept.
 */
export const GATEWAY_URL = new URL('.', location.href.split(/[?#]/, 1)[0]).href
