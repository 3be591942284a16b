// UTF-8 that was read as windows-1252 ("cafÃ©", "donâ€™t", also twice over) becomes what it was. After ftfy (Speer 2019,
// https://ftfy.readthedocs.io): a stretch of characters is taken for bytes again only where it is valid UTF-8 and nothing that
// a person would write; clean text is never touched.
const SPECIALS = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ'

/** Bytes of characters as windows-1252 has them; the five that it leaves out stand for themselves. */
const BYTES: ReadonlyMap<number, number> = new Map([
  ...Array.from(SPECIALS, (char, i): [number, number] => [char.charCodeAt(0), 0x80 + i]),
  ...Array.from({ length: 32 }, (_, i): [number, number] => [0x80 + i, 0x80 + i]),
  ...Array.from({ length: 96 }, (_, i): [number, number] => [0xa0 + i, 0xa0 + i]),
])

/** Rounds: text that went through it twice needs two. */
const ROUNDS = 3
/** A lead byte and one that continues it; nearly all clean text stops here. */
const SUSPECT =
  /[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]/
/** Continuations that people write after a letter: quotation marks, dashes, dots, spaces, the trade mark. */
const PUNCTUATION = /[\u00a0\u00ab\u00bb\u00b7\u2013-\u201e\u2022\u2026\u2039\u203a\u2122]/

/** Whether a text has such stretches. */
export function hasMojibake(text: string): boolean {
  return fixMojibake(text) !== text
}

/** The text as it was meant; the same text where nothing is wrong. */
export function fixMojibake(text: string): string {
  let fixed = text
  for (let round = 0; round < ROUNDS; round++) {
    if (!SUSPECT.test(fixed)) break
    const next = once(fixed)
    if (next === fixed) break
    fixed = next
  }
  return fixed
}

interface Stretch {
  start: number
  length: number
  code: number
  /** It could also be a letter and punctuation after it. */
  doubtful: boolean
}

function once(text: string): string {
  const stretches: Stretch[] = []
  for (let at = 0; at < text.length; at++) {
    const stretch = stretchAt(text, at)
    if (!stretch) continue
    stretches.push(stretch)
    at += stretch.length - 1
  }
  const certain = stretches.some(({ doubtful }) => !doubtful)
  let out = ''
  let end = 0
  for (const { start, length, code, doubtful } of stretches) {
    if (doubtful && !certain) continue
    out += text.slice(end, start) + String.fromCodePoint(code)
    end = start + length
  }
  return out + text.slice(end)
}

/** The sequence of UTF-8 whose bytes stand at a place as characters. */
function stretchAt(text: string, start: number): Stretch | null {
  const lead = BYTES.get(text.charCodeAt(start))
  if (lead === undefined || lead < 0xc2 || lead > 0xf4) return null
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  let code = lead & (0xff >> (length + 1))
  for (let i = 1; i < length; i++) {
    const byte = BYTES.get(text.charCodeAt(start + i))
    if (byte === undefined || byte < 0x80 || byte > 0xbf) return null
    code = (code << 6) | (byte & 0x3f)
  }
  if (length === 2) return { start, length, code, doubtful: isDoubtful(text, start) }
  if (length === 3 && (code < 0x0900 || (code >= 0xd800 && code < 0xf900))) return null
  if (length === 4 && (code < 0x10000 || code > 0x10ffff)) return null
  return { start, length, code, doubtful: false }
}

/** "MAÇÃ”" ends a quotation and "RENÉ’s" is a name; the Ã” of "Ã”tre" is neither. */
function isDoubtful(text: string, start: number): boolean {
  const after = text[start + 1]!
  if (!PUNCTUATION.test(after)) return false
  const before = text[start - 1] ?? ' '
  const next = text[start + 2] ?? ' '
  return /\p{Lu}/u.test(before) || (!/\p{Ll}/u.test(before) && !/\p{Ll}/u.test(next))
}
