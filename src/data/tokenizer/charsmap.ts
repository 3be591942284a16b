// SentencePiece's compiled normalisation rules ("precompiled_charsmap"): a double-array trie (Darts) over UTF-8 bytes whose
// values point into a block of NUL-terminated replacements.
// https://github.com/google/sentencepiece/blob/master/src/normalizer.cc, applied as `tokenizers` does: by grapheme clusters
// of less than six bytes, and by single characters where a cluster has no rule.
import { unsupported } from './json.ts'

const SHORT_CLUSTER_BYTES = 6
/** Clusters whose replacement is kept. */
const REMEMBERED = 10_000
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** `base64` as in tokenizer.json. Throws E_MODEL_UNSUPPORTED if it is no such table. */
export function charsmapNormalizer(base64: string): (text: string) => string {
  const { units, replacements } = parse(base64)
  const known = new Map<string, string | null>()

  const replacement = (part: string): string | null => {
    let found = known.get(part)
    if (found === undefined) {
      if (known.size === REMEMBERED) known.clear()
      known.set(part, (found = lookUp(part)))
    }
    return found
  }
  /** The replacement of the shortest rule that begins `part`; null where there is none. */
  const lookUp = (part: string): string | null => {
    let node = offset(units[0]!)
    for (const byte of encoder.encode(part)) {
      if (byte === 0) return null
      node ^= byte
      const unit = units[node]
      if (unit === undefined || label(unit) !== byte) return null
      node ^= offset(unit)
      if (hasLeaf(unit)) {
        const start = (units[node] ?? 0) & 0x7fffffff
        const end = replacements.indexOf(0, start)
        return decoder.decode(replacements.subarray(start, end < 0 ? undefined : end))
      }
    }
    return null
  }

  const clusters = new Intl.Segmenter('en', { granularity: 'grapheme' })
  return (text) => {
    let out = ''
    for (const { segment } of clusters.segment(text)) {
      const whole = utf8Length(segment) < SHORT_CLUSTER_BYTES ? replacement(segment) : null
      if (whole !== null) out += whole
      else for (const char of segment) out += replacement(char) ?? char
    }
    return out
  }
}

function parse(base64: string): { units: Uint32Array; replacements: Uint8Array } {
  let bytes: Uint8Array
  try {
    bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
  } catch (cause) {
    throw unsupported('its precompiled_charsmap is not base64', cause)
  }
  const trieBytes = bytes.length < 4 ? 0 : new DataView(bytes.buffer).getUint32(0, true)
  if (trieBytes < 4 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length)
    throw unsupported('its precompiled_charsmap is cut')
  return {
    units: new Uint32Array(bytes.slice(4, 4 + trieBytes).buffer),
    replacements: bytes.subarray(4 + trieBytes),
  }
}

// The fields of a unit of the double array (darts-clone).
const hasLeaf = (unit: number): boolean => (unit & 0x100) !== 0
const label = (unit: number): number => unit & 0x800000ff
const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6)

function utf8Length(text: string): number {
  let bytes = 0
  for (const char of text) {
    const code = char.codePointAt(0)!
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
  }
  return bytes
}
