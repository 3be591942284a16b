// Personal data in a text: every type's finder, and one answer where several claim the same characters.
import { PERSONAL_KINDS, type PersonalKind } from '../../protocol/recipe.ts'
import { findCards, findIbans } from './accounts.ts'
import { findEmails, findIps, findPhones } from './contacts.ts'
import type { PersonalMatch } from './match.ts'
import { findNames } from './names.ts'
import { findNationalIds } from './nationalIds.ts'

/** In the order in which they win: what has a check digit before what has none. */
const FINDERS: { type: PersonalKind; needs: RegExp; find(text: string): PersonalMatch[] }[] = [
  { type: 'email', needs: /@/, find: findEmails },
  { type: 'iban', needs: /[A-Za-z]{2}\d{2}/, find: findIbans },
  { type: 'card', needs: /\d[ -]?\d{2}/, find: findCards },
  { type: 'nationalId', needs: /\d{2}/, find: findNationalIds },
  { type: 'ip', needs: /\d\.\d|:[\da-fA-F]*:/, find: findIps },
  { type: 'phone', needs: /\d{2}/, find: findPhones },
  { type: 'name', needs: /\p{Lu}[\p{Ll}ñ]/u, find: findNames },
]

/** Fewest digits of anything that is found by its digits. */
const FEWEST_DIGITS = 7
const ENOUGH_DIGITS = /\d(?:\D*\d){6}/
const NEEDS_DIGITS: ReadonlySet<PersonalKind> = new Set(['card', 'iban', 'phone'])

/**
 * Where personal data stands in a text, in its order and without overlaps.
 * @param types only these; default all
 */
export function findPersonalData(
  text: string,
  types: readonly PersonalKind[] = PERSONAL_KINDS,
): PersonalMatch[] {
  const digits = text.length >= FEWEST_DIGITS && ENOUGH_DIGITS.test(text)
  const found: PersonalMatch[] = []
  let taken: Uint8Array | null = null
  for (const { type, needs, find } of FINDERS) {
    if (!types.includes(type) || (NEEDS_DIGITS.has(type) && !digits) || !needs.test(text)) continue
    for (const match of find(text)) {
      taken ??= new Uint8Array(text.length)
      if (taken.subarray(match.start, match.end).includes(1)) continue
      taken.fill(1, match.start, match.end)
      found.push(match)
    }
  }
  return found.sort((a, b) => a.start - b.start)
}
