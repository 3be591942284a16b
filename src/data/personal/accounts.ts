// Payment cards and bank accounts: a number counts only with its issuer's prefix, its length and its check digits.
import type { PersonalMatch } from './match.ts'
import { luhn, mod97 } from './checkDigits.ts'

const CARD = /(?<![\d.,])(?<!\d[ -])\d(?:[ -]?\d){12,18}(?![ -]?\d)/g

/** Prefixes of issuers with the lengths of their numbers (ISO/IEC 7812, as the networks publish them). */
const ISSUERS: [pattern: RegExp, lengths: readonly number[]][] = [
  [/^4/, [13, 16, 19]], // Visa
  [/^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]], // Mastercard
  [/^3[47]/, [15]], // American Express
  [/^(6011|64[4-9]|65)/, [16, 17, 18, 19]], // Discover
  [/^35(2[89]|[3-8])/, [16, 17, 18, 19]], // JCB
  [/^3(0[0-5]|[689])/, [14, 16]], // Diners Club
  [/^62/, [16, 17, 18, 19]], // UnionPay
  [/^(5018|5020|5038|5893|6304|6759|676[1-3])/, [13, 14, 15, 16, 17, 18, 19]], // Maestro
]

export function findCards(text: string): PersonalMatch[] {
  const found: PersonalMatch[] = []
  for (const match of text.matchAll(CARD)) {
    const digits = match[0].replace(/[ -]/g, '')
    if (/^(\d)\1+$/.test(digits) || !luhn(digits)) continue
    if (ISSUERS.some(([prefix, lengths]) => prefix.test(digits) && lengths.includes(digits.length)))
      found.push({ type: 'card', start: match.index, end: match.index + match[0].length })
  }
  return found
}

/** Length of an IBAN by country (SWIFT's IBAN registry). */
const IBAN_LENGTHS: Record<string, number> = Object.fromEntries(
  (
    'NO15 BE16 DK18 FI18 FO18 GL18 NL18 SD18 MK19 SI19 AT20 BA20 EE20 KZ20 LT20 LU20 MN20 XK20 CH21 HR21 LI21 LV21 ' +
    'BG22 BH22 CR22 DE22 GB22 GE22 IE22 ME22 RS22 VA22 AE23 GI23 IL23 IQ23 OM23 SO23 TL23 AD24 CZ24 ES24 MD24 PK24 ' +
    'RO24 SA24 SE24 SK24 TN24 VG24 LY25 PT25 ST25 IS26 TR26 BI27 DJ27 FR27 GR27 IT27 MC27 MR27 SM27 AL28 AZ28 BY28 ' +
    'CY28 DO28 GT28 HU28 LB28 NI28 PL28 SV28 BR29 EG29 PS29 QA29 UA29 JO30 KW30 MU30 YE30 SC31 MT31 LC32 RU33 FK18'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
)
const IBAN_START = /(?<![\p{L}\d])[A-Za-z]{2}\d{2}(?=[ -]?[A-Za-z0-9])/gu

export function findIbans(text: string): PersonalMatch[] {
  const found: PersonalMatch[] = []
  for (const match of text.matchAll(IBAN_START)) {
    const length = IBAN_LENGTHS[match[0].slice(0, 2).toUpperCase()]
    if (length === undefined) continue
    let plain = ''
    let end = match.index
    while (end < text.length && plain.length < length) {
      const character = text[end]!
      if (/[A-Za-z0-9]/.test(character)) plain += character
      else if (!(/[ -]/.test(character) && /[A-Za-z0-9]/.test(text[end + 1] ?? ''))) break
      end++
    }
    if (plain.length < length || /[A-Za-z0-9]/.test(text[end] ?? '')) continue
    const upper = plain.toUpperCase()
    if (mod97(upper.slice(4) + upper.slice(0, 4)) === 1) found.push({ type: 'iban', start: match.index, end })
  }
  return found
}
