// E-mail addresses, telephone numbers and IP addresses. Telephone numbers have no check digit, so they count only in a
// form that other numbers rarely take, or beside a word that says so.
import type { PersonalMatch } from './match.ts'

/** RFC 5321: longest local part and longest domain. */
const LOCAL_LIMIT = 64
const DOMAIN = /^(?:[\p{L}\d](?:[\p{L}\d-]{0,61}[\p{L}\d])?\.){1,8}\p{L}{2,24}(?![\p{L}\d-]*@)/u
const LOCAL = /[\p{L}\d.!#$%&'*+/=?^_`{|}~-]/u
/** "logo@2x.png" is a file. */
const FILE_ENDINGS = /\.(png|jpe?g|gif|webp|svg|css|s?js|ts|json|html?)$/i

/** Addresses are found by their @ and read in both directions, so no text takes more than linear time. */
export function findEmails(text: string): PersonalMatch[] {
  const found: PersonalMatch[] = []
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    let start = at
    while (start > 0 && at - start < LOCAL_LIMIT && LOCAL.test(text[start - 1]!)) start--
    while (start < at && /[^\p{L}\d_+]/u.test(text[start]!)) start++
    const domain = DOMAIN.exec(text.slice(at + 1, at + 256))?.[0]
    if (start === at || !domain || text[at - 1] === '.' || FILE_ENDINGS.test(domain)) continue
    const end = at + 1 + domain.length
    // "git@host.org:path" is where a repository is.
    if (text.slice(start, at) === 'git' && text[end] === ':') continue
    // "https://user@host/" and "pkg@scope" in addresses of the web are still addresses of people; a path is not.
    const slash = text.lastIndexOf('/', at)
    if (slash > start) start = slash + 1
    if (start < at) found.push({ type: 'email', start, end })
  }
  return found
}

const NUMBER = String.raw`(?<![\p{L}\d+#=_/-])(?<!\d[ .,:-])`
const EXTENSION = String.raw`(?: ?(?:x|ext\.?) ?\d{1,6})?`
const NO_MORE = String.raw`(?![\p{L}\d_])(?![-.,:/]\d)`
const phone = (pattern: string): RegExp => new RegExp(NUMBER + pattern + EXTENSION + NO_MORE, 'gu')

/** + or 00 and a country. Each round of the pattern takes one digit, so that no text makes it try again and again. */
const INTERNATIONAL = phone(String.raw`(?:\+|00[ -]?|\(\+)[1-9](?:[ ./-]{0,2}\(?\d\)?){6,17}`)
/** North America: area and exchange begin with 2 to 9; brackets or separators tell it from other numbers. */
const NORTH_AMERICA = phone(String.raw`(?:1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]?\d{4}`)
/** A trunk 0 and at least two groups, or ten or eleven digits. */
const TRUNK = phone(
  String.raw`(?:(?:\(0\d{1,5}\) ?\d{2,8}|0\d{1,5})(?:(?: ?[/.-] ?| )\d{2,8}){0,5}|0[1-9]\d{8,9})`,
)
/** India: mobile numbers in two groups of five. */
const INDIA = phone(String.raw`[6-9]\d{4}[ -]\d{5}`)
/** Spain: nine digits in groups. */
const SPAIN = phone(String.raw`[6-9]\d{2}(?: \d{3} \d{3}|(?: \d{2}){3})`)
/** Any number after a word for a telephone. */
const NAMED = new RegExp(
  String.raw`(?<!\p{L})(?:phone|telephone|tel|mobile|cell|cellphone|fax|whatsapp|call(?: me| us)?(?: back)?|text me|` +
    String.raw`reach (?:me|us|him|her|them)|(?:my|our|new|his|her) number|` +
    String.raw`telefon|handy|mobil|téléphone|tél|portable|teléfono|móvil|telefono|cellulare|telefoon|mobiel)` +
    String.raw`(?:nummer| number| no)?\.?(?: is| on| at|:| under| unter| au| al| op){0,2}[ :]{0,2}(\(?\d[\d ()./-]{5,18}\d)${NO_MORE}`,
  'giu',
)
const DATE = /\d{1,4}[./-]\d{1,2}[./-]\d{1,4}/
const NOT_A_PHONE =
  /\b(isbn|ean|order|invoice|version|ref(erence)?|sku|ticket|tracking|serial|id)( (no|nr|number)\.?)?[ :#]*$/i
/** A number before the words that say what it is. */
const NAMED_AFTER = new RegExp(
  NUMBER + String.raw`\(?\d[\d ()./-]{5,18}\d(?= is my (?:new |old |mobile |phone )*(?:number|phone|mobile))`,
  'gu',
)

export function findPhones(text: string): PersonalMatch[] {
  const found: PersonalMatch[] = []
  const take = (start: number, written: string, least: number): void => {
    const digits = written.replace(/(x|ext).*$/, '').replace(/\D/g, '').length
    if (digits < least || digits > 15 || DATE.exec(written)?.[0].length === written.length) return
    found.push({ type: 'phone', start, end: start + written.length })
  }
  for (const pattern of [INTERNATIONAL, NORTH_AMERICA, TRUNK, INDIA, SPAIN])
    for (const match of text.matchAll(pattern)) {
      const before = text.slice(Math.max(0, match.index - 24), match.index)
      if (pattern !== INTERNATIONAL && NOT_A_PHONE.test(before)) continue
      if (pattern === TRUNK && /^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}/.test(match[0])) continue
      take(match.index, match[0], pattern === TRUNK ? 9 : 8)
    }
  for (const match of text.matchAll(NAMED_AFTER)) take(match.index, match[0], 7)
  for (const match of text.matchAll(NAMED)) {
    const written = match[1]!
    take(match.index + match[0].length - written.length, written, 7)
  }
  return found
}

const IPV4 = /(?<![\p{L}\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\p{L}\d])(?!\.\d)/gu
const IPV6 = /(?<![\p{L}\d:])[\da-f]{0,4}(?::[\da-f]{0,4}){2,7}(?![\p{L}\d:])/giu
/** What is numbered in the same way. */
const NUMBERED =
  /(?:\b(?:version|ver|build|release|section|chapter|clause|article|firmware|driver|v)|§)\.?\s*$/i

/** Addresses of a person's connection; loopback, unspecified and masks are nobody's. */
export function findIps(text: string): PersonalMatch[] {
  const found: PersonalMatch[] = []
  for (const match of text.matchAll(IPV4)) {
    const octets = match[0].split('.')
    if (octets.some((octet) => Number(octet) > 255 || (octet.length > 1 && octet.startsWith('0')))) continue
    if (/^(0|127|255)\./.test(match[0])) continue
    if (NUMBERED.test(text.slice(Math.max(0, match.index - 16), match.index))) continue
    found.push({ type: 'ip', start: match.index, end: match.index + match[0].length })
  }
  for (const match of text.matchAll(IPV6))
    if (validIpv6(match[0]))
      found.push({ type: 'ip', start: match.index, end: match.index + match[0].length })
  return found
}

function validIpv6(written: string): boolean {
  const short = written.split('::')
  const groups = written.split(':').filter((group) => group !== '')
  if (short.length > 2 || groups.join('').length < 4 || !/\d/.test(written)) return false
  if (short.length === 1) return groups.length === 8
  // The :: stands for at least one group, and both its sides are whole.
  return groups.length < 8 && !/(^|[^:]):$|^:[^:]/.test(written)
}
