// National identifiers of a few countries, each by its own rules and check digits. Where a form is no more than a row
// of digits, a word beside it must say what it is.
import type { PersonalMatch } from './match.ts'
import { mod11And10, mod97, verhoeff, weighted } from './checkDigits.ts'

interface NationalId {
  country: string
  pattern: RegExp
  /** Takes the match without separators, in capitals. */
  valid(plain: string): boolean
  /** A word in the characters before it, without which `bare` forms do not count. */
  context?: RegExp
  /** Whether this way of writing needs the word. */
  bare?(written: string): boolean
}

/** Characters before a number in which a word may say what it is. */
const CONTEXT_CHARACTERS = 40
/** Nothing that would make the number part of a longer one. */
const BEFORE = String.raw`(?<![\p{L}\d])(?<!\d[ .,-])`
const AFTER = String.raw`(?![\p{L}\d])(?![ .,-]\d)`
const between = (pattern: string): RegExp => new RegExp(BEFORE + pattern + AFTER, 'giu')

const DNI_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE'

const IDS: NationalId[] = [
  {
    // Social Security number: no area 000, 666 or from 900, no group 00, no serial 0000 (SSA, 2011).
    country: 'US',
    pattern: between(String.raw`\d{3}([ -]?)\d{2}\1\d{4}`),
    valid: (plain) => !/^(000|666|9)/.test(plain) && plain.slice(3, 5) !== '00' && plain.slice(5) !== '0000',
    context: /\b(ssn|social security)\b/i,
    bare: (written) => !written.includes('-'),
  },
  {
    // National Insurance number (HMRC, NIM39110).
    country: 'GB',
    pattern: between(String.raw`[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]`),
    valid: (plain) => /^(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]/.test(plain),
  },
  {
    // Steuerliche Identifikationsnummer: of the first ten digits exactly one occurs twice or three times.
    country: 'DE',
    pattern: between(String.raw`[1-9]\d(?: ?\d{3}){3}`),
    valid: (plain) => mod11And10(plain) && oneRepeated(plain.slice(0, 10)),
  },
  {
    // Numéro d'inscription au répertoire (INSEE), with its key; Corsica's departments are 2A and 2B.
    country: 'FR',
    pattern: between(
      String.raw`[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-4]\d|[5-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}`,
    ),
    valid: (plain) => {
      const number = plain.slice(0, 13).replace('2A', '19').replace('2B', '18')
      return Number(plain.slice(13)) === 97 - mod97(number)
    },
  },
  {
    // DNI: the letter is the number modulo 23.
    country: 'ES',
    pattern: between(String.raw`(?:\d{8}|\d{2}\.\d{3}\.\d{3})[ -]?[A-Z]`),
    valid: (plain) => DNI_LETTERS[Number(plain.slice(0, 8)) % 23] === plain[8],
  },
  {
    // NIE: X, Y and Z count as 0, 1 and 2.
    country: 'ES',
    pattern: between(String.raw`[XYZ][ -]?\d{7}[ -]?[A-Z]`),
    valid: (plain) => DNI_LETTERS[Number('XYZ'.indexOf(plain[0]!) + plain.slice(1, 8)) % 23] === plain[8],
  },
  {
    // Codice fiscale (Decreto ministeriale 23/12/1976); digits may be letters where two people would share a code.
    country: 'IT',
    pattern: between(
      String.raw`[A-Z]{6} ?[\dLMNP-V]{2} ?[ABCDEHLMPRST] ?[\dLMNP-V]{2} ?[A-Z][\dLMNP-V]{3} ?[A-Z]`,
    ),
    valid: codiceFiscale,
  },
  {
    // Burgerservicenummer: the eleven test.
    country: 'NL',
    pattern: between(String.raw`\d{3}[ .]?\d{3}[ .]?\d{3}|\d{4}[ .]\d{2}[ .]\d{3}`),
    valid: (plain) => plain !== '000000000' && weighted(plain, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0,
    context: /\b(bsn|burgerservicenummer|sofi-?nummer|citizen service number)\b/i,
    bare: () => true,
  },
  {
    // Aadhaar: Verhoeff, and the first digit is none of 0 and 1 (UIDAI).
    country: 'IN',
    pattern: between(String.raw`[2-9]\d{3}([ -]?)\d{4}\1\d{4}`),
    valid: verhoeff,
    context: /\b(aadhaa?r|uidai|uid)\b/i,
    bare: (written) => written.length === 12,
  },
  {
    // Cadastro de Pessoas Físicas: two check digits modulo 11.
    country: 'BR',
    pattern: between(String.raw`\d{3}\.\d{3}\.\d{3}-\d{2}|\d{11}`),
    valid: (plain) =>
      !/^(\d)\1+$/.test(plain) &&
      [9, 10].every((at) => {
        const weights = Array.from({ length: at }, (_, i) => at + 1 - i)
        return ((weighted(plain, weights) * 10) % 11) % 10 === Number(plain[at])
      }),
    context: /\bcpf\b/i,
    bare: (written) => written.length === 11,
  },
]

export function findNationalIds(text: string): PersonalMatch[] {
  const found: PersonalMatch[] = []
  for (const { country, pattern, valid, context, bare } of IDS)
    for (const match of text.matchAll(pattern)) {
      const written = match[0]
      if (!valid(written.replace(/[ .-]/g, '').toUpperCase())) continue
      const before = text.slice(Math.max(0, match.index - CONTEXT_CHARACTERS), match.index)
      if (bare?.(written) && !context!.test(before)) continue
      found.push({ type: 'nationalId', start: match.index, end: match.index + written.length, country })
    }
  return found
}

function oneRepeated(digits: string): boolean {
  const counts = new Array<number>(10).fill(0)
  for (const digit of digits) counts[Number(digit)]!++
  const repeated = counts.filter((times) => times > 1)
  return repeated.length === 1 && repeated[0]! <= 3
}

/** What a character counts at an odd place (the first, the third); 0 to 9 and A to J alike. */
const ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]

function codiceFiscale(plain: string): boolean {
  let sum = 0
  for (let i = 0; i < 15; i++) {
    const code = plain.charCodeAt(i)
    const value = code < 58 ? code - 48 : code - 65
    sum += i % 2 === 0 ? ODD[value]! : value
  }
  return plain.charCodeAt(15) - 65 === sum % 26
}
