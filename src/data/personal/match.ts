// What the finders of personal data answer.
import type { PersonalKind } from '../../protocol/recipe.ts'

/** A stretch of a text, in UTF-16 units as `slice` takes them. */
export interface PersonalMatch {
  type: PersonalKind
  start: number
  end: number
  /** National identifiers: the country that issues it (ISO 3166, two letters). */
  country?: string
}
