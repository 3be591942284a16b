// The decoders of a tokenizer.json: texts of tokens -> text.
// https://huggingface.co/docs/tokenizers/api/decoders
import { fallbackByte, lettersToBytes } from './characters.ts'
import { count, flag, list, object, optionalText, text, unknownStage, type Json } from './json.ts'
import { patternOf } from './patterns.ts'
import { metaspaceScheme } from './preTokenizers.ts'

export type Decoder = (tokens: string[]) => string[]

const REPLACEMENT = '\uFFFD'

/** Throws E_MODEL_UNSUPPORTED for a decoder that is not known. */
export function makeDecoder(value: unknown): Decoder {
  if (value === undefined || value === null) return (tokens) => [tokens.join(' ')]
  const json = object(value, 'decoder')
  switch (json.type) {
    case 'Sequence': {
      const all = list(json.decoders, 'decoders').map(makeDecoder)
      return (tokens) => all.reduce((result, decode) => decode(result), tokens)
    }
    case 'ByteLevel': {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
      return (tokens) => [decoder.decode(Uint8Array.from(tokens.flatMap(lettersToBytes)))]
    }
    case 'WordPiece':
      return wordPiece(json)
    case 'Metaspace':
      return metaspace(json)
    case 'BPEDecoder': {
      const suffix = optionalText(json.suffix, 'suffix') ?? '</w>'
      return (tokens) =>
        tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' '))
    }
    case 'ByteFallback':
      return byteFallback
    case 'Fuse':
      return (tokens) => [tokens.join('')]
    case 'Strip':
      return strip(json)
    case 'Replace': {
      const pattern = patternOf(json.pattern)
      const content = optionalText(json.content, 'replacement') ?? ''
      return (tokens) => tokens.map((token) => token.replace(pattern, () => content))
    }
    default:
      throw unknownStage('decoder', json.type)
  }
}

/** Whether a decoder is, or has among its steps, one of this type. */
export function hasDecoder(value: unknown, type: string): boolean {
  const json = (value ?? {}) as Json
  return (
    json.type === type || (Array.isArray(json.decoders) && json.decoders.some((one) => hasDecoder(one, type)))
  )
}

/** transformers' clean_up_tokenization: the spaces that splitting at punctuation put into English. */
export function cleanUp(input: string): string {
  return input
    .replaceAll(' .', '.')
    .replaceAll(' ?', '?')
    .replaceAll(' !', '!')
    .replaceAll(' ,', ',')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re")
}

function wordPiece(json: Json): Decoder {
  const prefix = optionalText(json.prefix, 'prefix') ?? '##'
  const clean = flag(json.cleanup, true)
  return (tokens) =>
    tokens.map((token, i) => {
      let result = token
      if (i > 0) result = token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`
      return clean ? cleanUp(result.replaceAll(' do not', " don't")) : result
    })
}

function metaspace(json: Json): Decoder {
  const letter = optionalText(json.replacement, 'replacement') ?? '▁'
  const prefixed = json.add_prefix_space !== false && metaspaceScheme(json.prepend_scheme) !== 'never'
  return (tokens) => tokens.map((token, i) => token.replaceAll(letter, i === 0 && prefixed ? '' : ' '))
}

/** Runs of byte tokens become the text that they spell, or one U+FFFD for each where they spell none. */
function byteFallback(tokens: string[]): string[] {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const out: string[] = []
  let bytes: number[] = []
  const flush = (): void => {
    if (bytes.length === 0) return
    try {
      out.push(decoder.decode(Uint8Array.from(bytes)))
    } catch {
      out.push(...bytes.map(() => REPLACEMENT))
    }
    bytes = []
  }
  for (const token of tokens) {
    const byte = fallbackByte(token)
    if (byte !== undefined) bytes.push(byte)
    else {
      flush()
      out.push(token)
    }
  }
  flush()
  return out
}

function strip(json: Json): Decoder {
  const letter = text(json.content, 'stripped letter')
  const start = count(json.start ?? 0, 'count of stripped letters')
  const stop = count(json.stop ?? 0, 'count of stripped letters')
  return (tokens) =>
    tokens.map((token) => {
      const chars = Array.from(token)
      let from = 0
      while (from < start && chars[from] === letter) from++
      let to = chars.length
      while (chars.length - to < stop && to > from && chars[to - 1] === letter) to--
      return chars.slice(from, to).join('')
    })
}
