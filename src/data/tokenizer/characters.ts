// Kinds of characters as Rust and the `tokenizers` package name them, and the letters that stand for bytes in byte-level
// BPE (GPT-2's `bytes_to_unicode`: printable bytes are themselves, the others follow from U+0100).

/** Rust's char::is_whitespace. JavaScript's \s has U+FEFF besides and lacks U+0085. */
export const SPACE = /\p{White_Space}/u
/** The regex crate's \w. */
export const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d]'
/** ASCII punctuation and what Unicode calls punctuation. */
export const PUNCTUATION = '[!-\\/:-@\\[-`{-~\\p{P}]'

const letters: string[] = []
const bytes = new Map<string, number>()
for (let byte = 0, next = 0x100; byte < 0x100; byte++) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  letters[byte] = String.fromCharCode(printable ? byte : next++)
  bytes.set(letters[byte]!, byte)
}
const encoder = new TextEncoder()

/** The bytes of a text as letters. */
export function bytesToLetters(text: string): string {
  let out = ''
  for (const byte of encoder.encode(text)) out += letters[byte]
  return out
}

/** The bytes that a token's letters stand for; the token's own UTF-8 where one of its letters stands for none. */
export function lettersToBytes(token: string): number[] {
  const out: number[] = []
  for (const letter of token) {
    const byte = bytes.get(letter)
    if (byte === undefined) return Array.from(encoder.encode(token))
    out.push(byte)
  }
  return out
}

/** Each character in lower case on its own: a final sigma stays a sigma, as in Rust. */
export function lowerCase(text: string): string {
  const lower = text.toLowerCase()
  if (!lower.includes('ς')) return lower
  let out = ''
  for (const char of text) out += char.toLowerCase()
  return out
}

/** Half surrogates, which no encoding can write, become U+FFFD. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD')
}

/** The byte that a token such as <0x0A> stands for. */
export function fallbackByte(token: string): number | undefined {
  const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1]
  return hex === undefined ? undefined : parseInt(hex, 16)
}
