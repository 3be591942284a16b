// When the Hub wants to know who asks.
import type { GraftError } from '../../protocol/errors.ts'

/** A gated or private model: a token of an account with access opens it. */
export function asksForToken({ code, details }: GraftError): boolean {
  if (code !== 'E_NETWORK') return false
  return details['gated'] === true || details['status'] === 401 || details['status'] === 403
}
