// The pre-tokenisers of a tokenizer.json: they cut the normalised text into pieces, which the model then cuts into tokens.
// https://huggingface.co/docs/tokenizers/api/pre-tokenizers
import { bytesToLetters, PUNCTUATION, SPACE, WORD } from './characters.ts'
import {
  count,
  flag,
  list,
  object,
  optionalText,
  text,
  unknownStage,
  unsupported,
  type Json,
} from './json.ts'
import { patternOf } from './patterns.ts'
import { behaviourOf, split, type Behaviour, type Piece } from './splitting.ts'

export type PreTokenizer = (piece: Piece) => Piece[]

/** GPT-2's own pattern, with Unicode's white space rather than JavaScript's. */
const GPT2 = new RegExp(
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+",
  'gu',
)
const SPACES = new RegExp(SPACE, 'gu')
const WORDS = new RegExp(`${WORD}+|(?:(?!${WORD})\\P{White_Space})+`, 'gu')

/** Throws E_MODEL_UNSUPPORTED for a pre-tokeniser that is not known. */
export function makePreTokenizer(value: unknown): PreTokenizer {
  if (value === undefined || value === null) return (piece) => [piece]
  const json = object(value, 'pre-tokeniser')
  const by = (pattern: RegExp, behaviour: Behaviour, invert?: boolean): PreTokenizer => {
    return (piece) => split(piece, pattern, behaviour, invert)
  }
  switch (json.type) {
    case 'Sequence':
      return sequence(list(json.pretokenizers, 'pre-tokenisers').map(makePreTokenizer))
    case 'ByteLevel':
      return byteLevel(flag(json.add_prefix_space, true), flag(json.use_regex, true))
    case 'Metaspace':
      return metaspace(json)
    case 'Split':
      return by(patternOf(json.pattern), behaviourOf(json.behavior), flag(json.invert, false))
    case 'Punctuation':
      return by(new RegExp(PUNCTUATION, 'gu'), behaviourOf(json.behavior ?? 'isolated'))
    case 'Digits':
      return by(/\p{N}/gu, flag(json.individual_digits, false) ? 'isolated' : 'contiguous')
    case 'BertPreTokenizer':
      return sequence([by(SPACES, 'removed'), by(new RegExp(PUNCTUATION, 'gu'), 'isolated')])
    case 'WhitespaceSplit':
      return by(SPACES, 'removed')
    case 'Whitespace':
      return by(WORDS, 'removed', true)
    case 'CharDelimiterSplit':
      return by(patternOf({ String: text(json.delimiter, 'delimiter') }), 'removed')
    case 'FixedLength':
      return fixedLength(count(json.length, 'length of a piece'))
    default:
      throw unknownStage('pre-tokeniser', json.type)
  }
}

function sequence(all: PreTokenizer[]): PreTokenizer {
  return (piece) => all.reduce((pieces, cut) => pieces.flatMap(cut), [piece])
}

function byteLevel(prefixSpace: boolean, pattern: boolean): PreTokenizer {
  return ({ text, first }) => {
    const spaced = prefixSpace && !text.startsWith(' ') ? ` ${text}` : text
    const pieces = pattern ? split({ text: spaced, first }, GPT2, 'isolated') : [{ text: spaced, first }]
    return pieces.map((piece) => ({ ...piece, text: bytesToLetters(piece.text) }))
  }
}

/** SentencePiece's: spaces are letters, one more stands before the text, and every piece begins with one. */
function metaspace(json: Json): PreTokenizer {
  const letter = optionalText(json.replacement, 'replacement') ?? '▁'
  const scheme = json.add_prefix_space === false ? 'never' : metaspaceScheme(json.prepend_scheme)
  const cut = flag(json.split, true)
  const letters = patternOf({ String: letter })
  return ({ text, first }) => {
    let result = text.replaceAll(' ', letter)
    if ((scheme === 'always' || (scheme === 'first' && first)) && !result.startsWith(letter))
      result = letter + result
    return cut ? split({ text: result, first }, letters, 'mergedwithnext') : [{ text: result, first }]
  }
}

export function metaspaceScheme(value: unknown): 'always' | 'first' | 'never' {
  const scheme = value ?? 'always'
  if (scheme !== 'always' && scheme !== 'first' && scheme !== 'never')
    throw unsupported(`its prepend_scheme ${JSON.stringify(value)} is not known`)
  return scheme
}

function fixedLength(length: number): PreTokenizer {
  if (length === 0) throw unsupported('it cuts pieces of no length')
  return ({ text, first }) => {
    const chars = Array.from(text)
    const pieces: Piece[] = []
    for (let at = 0; at < chars.length; at += length)
      pieces.push({ text: chars.slice(at, at + length).join(''), first: first && at === 0 })
    return pieces
  }
}
