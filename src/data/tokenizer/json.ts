// Reading the parts of a tokenizer.json: every stage is an object with a `type`, and what is not known is refused by name.
import { GraftError } from '../../protocol/errors.ts'

export type Json = Record<string, unknown>

/** The error of a tokenizer that cannot be used; `what` goes after "The tokenizer of this model cannot be used: ". */
export function unsupported(what: string, cause?: unknown): GraftError {
  return new GraftError(
    'E_MODEL_UNSUPPORTED',
    `The tokenizer of this model cannot be used: ${what}. Choose another base model.`,
    { file: 'tokenizer.json' },
    cause === undefined ? undefined : { cause },
  )
}

/** The object itself. Throws E_MODEL_UNSUPPORTED if it is none. */
export function object(value: unknown, name: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw unsupported(`its ${name} is not an object`)
  return value as Json
}

/** The list itself, or an empty one where there is nothing. */
export function list(value: unknown, name: string): unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw unsupported(`its ${name} is not a list`)
  return value
}

export function text(value: unknown, name: string): string {
  if (typeof value !== 'string') throw unsupported(`its ${name} is not a text`)
  return value
}

export function optionalText(value: unknown, name: string): string | undefined {
  return value === undefined || value === null ? undefined : text(value, name)
}

export function flag(value: unknown, otherwise: boolean): boolean {
  return typeof value === 'boolean' ? value : otherwise
}

export function count(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw unsupported(`its ${name} is not a whole number`)
  return value as number
}

/** A vocabulary: token -> id. */
export function vocabulary(value: unknown): Map<string, number> {
  const entries = Object.entries(object(value, 'vocabulary'))
  for (const [token, id] of entries) count(id, `id of "${token.slice(0, 40)}"`)
  return new Map(entries as [string, number][])
}

/** Refuses a stage that no reader knows. */
export function unknownStage(stage: string, type: unknown): GraftError {
  return unsupported(`it has the ${stage} ${JSON.stringify(type ?? null)}, which Graft does not know`)
}
