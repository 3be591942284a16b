// The normalisers of a tokenizer.json: text -> text, before anything is cut.
// https://huggingface.co/docs/tokenizers/api/normalizers
// Compared with the package over all of Unicode, character by character: what is left are marks and punctuation of scripts
// that were encoded after its tables were made (530 characters, of Unicode 9 to 17).
import { bytesToLetters, lowerCase } from './characters.ts'
import { charsmapNormalizer } from './charsmap.ts'
import { flag, list, object, optionalText, text, unknownStage, type Json } from './json.ts'
import { patternOf } from './patterns.ts'

/** Runs of characters without those that the tables of `tokenizers` (Unicode 12.0) do not decompose. */
const OLD_UNICODE =
  /[^\u32FF\uA7F1-\uA7F4\uAB69\u{10781}-\u{107BA}\u{1CCD6}-\u{1CCF9}\u{1E030}-\u{1E06D}\u{1F16C}\u{1FBF0}-\u{1FBF9}]+/gu

export type Normalizer = (text: string) => string

/** Throws E_MODEL_UNSUPPORTED for a normaliser that is not known. */
export function makeNormalizer(value: unknown): Normalizer {
  if (value === undefined || value === null) return (input) => input
  const json = object(value, 'normalizer')
  switch (json.type) {
    case 'Sequence': {
      const all = list(json.normalizers, 'normalizers').map(makeNormalizer)
      return (input) => all.reduce((result, normalize) => normalize(result), input)
    }
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = json.type
      return (input) => input.replace(OLD_UNICODE, (part) => part.normalize(form))
    }
    case 'Lowercase':
      return lowerCase
    case 'StripAccents':
      return (input) => input.replace(/\p{M}/gu, '')
    case 'Strip':
      return strip(flag(json.strip_left, true), flag(json.strip_right, true))
    case 'Prepend': {
      const before = text(json.prepend, 'prepended text')
      return (input) => (input === '' ? input : before + input)
    }
    case 'Replace': {
      const pattern = patternOf(json.pattern)
      const content = optionalText(json.content, 'replacement') ?? ''
      return (input) => input.replace(pattern, () => content)
    }
    case 'BertNormalizer':
      return bert(json)
    case 'Nmt':
      return nmt
    case 'Precompiled': {
      const map = optionalText(json.precompiled_charsmap, 'precompiled_charsmap')
      return map ? charsmapNormalizer(map) : (input) => input
    }
    case 'ByteLevel':
      return bytesToLetters
    default:
      throw unknownStage('normaliser', json.type)
  }
}

function strip(left: boolean, right: boolean): Normalizer {
  return (input) => {
    let result = input
    if (left) result = result.replace(/^\p{White_Space}+/u, '')
    if (right) result = result.slice(0, result.length - spacesAtEnd(result))
    return result
  }
}

/** How many UTF-16 units of white space end a text; counted from the end, where a pattern would look from every start. */
export function spacesAtEnd(input: string): number {
  let length = 0
  while (length < input.length && /\p{White_Space}/u.test(input[input.length - 1 - length]!)) length++
  return length
}

/** BERT's: control characters out, white space to spaces, Chinese characters apart, accents off, lower case. */
function bert(json: Json): Normalizer {
  const lower = flag(json.lowercase, true)
  const clean = flag(json.clean_text, true)
  const chinese = flag(json.handle_chinese_chars, true)
  const accents = flag(json.strip_accents, lower)
  return (input) => {
    let result = input
    if (clean)
      result = result
        .replace(/[\0\uFFFD]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}]/gu, '')
        .replace(/\p{White_Space}/gu, ' ')
    if (chinese)
      result = result.replace(
        /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu,
        ' $& ',
      )
    if (accents) result = result.normalize('NFD').replace(/\p{Mn}/gu, '')
    return lower ? lowerCase(result) : result
  }
}

/** SentencePiece's nmt rules without the tables. */
function nmt(input: string): string {
  return (
    input
      // Control characters are what this is about.
      // eslint-disable-next-line no-control-regex
      .replace(/[\x01-\x08\x0B\x0E-\x1F\x7F\x8F\x9F]/g, '')
      .replace(/[\t\n\f\r\u1680\u200B-\u200F\u2028\u2029\u2581\uFEFF\uFFFD]/g, ' ')
  )
}
