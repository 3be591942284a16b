// What is wrong in an expression, and where: people type them, so every fault names its place.
import { GraftError } from '../../protocol/errors.ts'

/** An E_ARGUMENT for `source`; `at` counts UTF-16 units from 0, and the message counts from 1. */
export function fault(source: string, at: number, what: string): GraftError {
  return new GraftError('E_ARGUMENT', `At character ${at + 1} of the expression: ${what}`, {
    source,
    at,
  })
}
