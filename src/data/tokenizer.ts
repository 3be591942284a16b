// A model's tokenizer: text <-> ids as `transformers` gives them, the text of single tokens for explanations, and the chat
// template of the model. The stages of a tokenizer.json are in tokenizer/; what its tokenizer_config.json adds is here:
// which tokens are special, and the chat template. As in transformers 5, a tokenizer.json says itself what stands around a
// text, so `add_bos_token` and `add_eos_token` beside it change nothing.
import { GraftError } from '../protocol/errors.ts'
import type { Message } from '../protocol/target.ts'
import { ChatTemplate, type MarkedText } from './chatTemplate.ts'
import { fallbackByte } from './tokenizer/characters.ts'
import { cleanUp, hasDecoder } from './tokenizer/decoders.ts'
import { unsupported } from './tokenizer/json.ts'
import { Pipeline } from './tokenizer/pipeline.ts'

/** Shown for bytes that are no character on their own. */
const REPLACEMENT = '\uFFFD'

export interface EncodeOptions {
  /** Whether the tokenizer's own special tokens (BOS, [CLS] ... [SEP]) are put around the text; default true, as HF. */
  special?: boolean
}

export interface TextTokenizer {
  /** Entries of the vocabulary, added tokens included. */
  readonly size: number
  /** The largest id of the vocabulary; a vocabulary may have holes, so this can be above `size`. */
  readonly largestId: number
  readonly bosId: number | null
  readonly eosId: number | null
  /** The padding token; where the model has none, the end token stands in. */
  readonly padId: number | null
  /** What stands for a hidden word in masked-language models, and its text; null where there is none. */
  readonly maskId: number | null
  readonly maskText: string | null
  /** [CLS] and [SEP] of encoders. */
  readonly clsId: number | null
  readonly sepId: number | null
  /** Tokens that end an answer: EOS, and what the chat template puts after an assistant's text. */
  readonly endIds: number[]
  /** What `encode` puts before and after every text. */
  readonly prefixIds: number[]
  readonly suffixIds: number[]
  readonly hasChatTemplate: boolean
  /** Whether it puts a space before a text, as SentencePiece does; text that goes on from other text must not get one. */
  readonly prependsSpace: boolean
  isSpecial(id: number): boolean
  encode(text: string, options?: EncodeOptions): number[]
  /** Text of ids; special tokens are left out unless `special`. `exact`: spaces before punctuation stay as they were. */
  decode(ids: ArrayLike<number>, options?: { special?: boolean; exact?: boolean }): string
  /** The text of each token on its own, U+FFFD for bytes that are no character. */
  tokens(ids: ArrayLike<number>): string[]
  /** Messages as the model's chat template writes them. Throws E_ARGUMENT if it has none, E_DATASET if it refuses them. */
  renderChat(messages: Message[], addGenerationPrompt: boolean): string
  /**
   * The same, with what the template itself marks as the model's words by `{% generation %}`, in characters of the text;
   * null where the template has no such marks.
   */
  renderMarked(messages: Message[]): MarkedText | null
}

/** The fields of tokenizer_config.json that are used here. */
interface TokenizerConfig {
  tokenizer_class?: string
  add_prefix_space?: boolean
  bos_token?: SpecialToken
  eos_token?: SpecialToken
  pad_token?: SpecialToken
  unk_token?: SpecialToken
  mask_token?: SpecialToken
  cls_token?: SpecialToken
  sep_token?: SpecialToken
  clean_up_tokenization_spaces?: boolean
  chat_template?: string | { name: string; template: string }[]
}
type SpecialToken = string | { content: string } | null

/**
 * Makes a tokenizer from the parsed `tokenizer.json` and `tokenizer_config.json`; `chatTemplate` is the text of
 * `chat_template.jinja` where the template is a file of its own. Added tokens that the model has no row for (`rows` in all)
 * are left out unless tokenizer_config.json names them: Gemma's small models have one for images, which they cannot read.
 * Throws E_MODEL_UNSUPPORTED.
 */
export function loadTokenizer(
  tokenizerJson: unknown,
  tokenizerConfig: unknown,
  chatTemplate?: string,
  rows = Infinity,
): TextTokenizer {
  const config = (tokenizerConfig ?? {}) as TokenizerConfig
  const inner = construct(withPrefixSpace(withoutRowless(tokenizerJson, config, rows), config))
  const { decoder, model } = tokenizerJson as { decoder: unknown; model: { type?: string } }
  const idOf = (token: SpecialToken | undefined): number | null => (token ? inner.id(contentOf(token)) : null)
  const eosId = idOf(config.eos_token)
  const maskId = idOf(config.mask_token)
  const chat = chatTemplateOf(config, chatTemplate)
  const endIds = [eosId, chat ? terminatorId(chat, inner) : null].filter((id): id is number => id !== null)
  // BPE has kept the spaces of its text, so there are none to take away.
  const cleansUp = config.clean_up_tokenization_spaces === true && model.type !== 'BPE'
  const tokenText = textOfTokens(inner, decoder)
  const { before, after } = inner.around

  return {
    size: inner.tokens.size,
    largestId: [...inner.tokens.keys(), ...before, ...after].reduce(
      (largest, id) => Math.max(largest, id),
      -1,
    ),
    bosId: idOf(config.bos_token),
    eosId,
    padId: idOf(config.pad_token) ?? eosId,
    maskId,
    maskText: maskId === null ? null : contentOf(config.mask_token!),
    clsId: idOf(config.cls_token),
    sepId: idOf(config.sep_token),
    endIds: [...new Set(endIds)],
    prefixIds: [...before],
    suffixIds: [...after],
    hasChatTemplate: chat !== null,
    // WordPiece has no spaces: that of `tokens` is only written for reading.
    prependsSpace: !hasDecoder(decoder, 'WordPiece') && tokenText(inner.encode('a')[0] ?? -1).startsWith(' '),
    isSpecial: (id) => inner.added.get(id)?.special ?? false,
    encode(text, options = {}) {
      const ids = inner.encode(text)
      return (options.special ?? true) ? [...before, ...ids, ...after] : ids
    },
    decode(ids, options = {}) {
      const text = inner.decode(Array.from(ids), options.special ?? false)
      return cleansUp && !(options.exact ?? false) ? cleanUp(text) : text
    },
    tokens: (ids) => Array.from(ids, tokenText),
    renderChat(messages, addGenerationPrompt) {
      if (!chat)
        throw new GraftError('E_ARGUMENT', 'This model has no chat template; give it a plain prompt.')
      return chat.render(messages, addGenerationPrompt)
    },
    renderMarked: (messages) => chat?.renderMarked(messages) ?? null,
  }
}

/** The tokenizer.json without added tokens of `rows` and more, except those that the configuration names. */
function withoutRowless(tokenizerJson: unknown, config: TokenizerConfig, rows: number): unknown {
  const { added_tokens: added } = (tokenizerJson ?? {}) as { added_tokens?: unknown }
  if (!Array.isArray(added)) return tokenizerJson
  const named = [config.bos_token, config.eos_token, config.mask_token, config.cls_token, config.sep_token]
  const names = named.flatMap((token) => (token ? [contentOf(token)] : []))
  const kept = (added as { id?: unknown; content?: unknown }[]).filter(
    ({ id, content }) => !(typeof id === 'number' && id >= rows) || names.includes(content as string),
  )
  return kept.length === added.length ? tokenizerJson : { ...(tokenizerJson as object), added_tokens: kept }
}

/**
 * The classes of GPT-2 and RoBERTa in transformers make their pre-tokeniser themselves: there `add_prefix_space` of
 * tokenizer_config.json counts, and tokenizer.json's does not.
 */
function withPrefixSpace(tokenizerJson: unknown, config: TokenizerConfig): unknown {
  const { pre_tokenizer: before } = (tokenizerJson ?? {}) as { pre_tokenizer?: { type?: string } | null }
  if (before?.type !== 'ByteLevel' || !/^(GPT2|Roberta)Tokenizer(Fast)?$/.test(config.tokenizer_class ?? ''))
    return tokenizerJson
  const own = { ...before, add_prefix_space: config.add_prefix_space ?? false }
  return { ...(tokenizerJson as object), pre_tokenizer: own }
}

function construct(tokenizerJson: unknown): Pipeline {
  try {
    return new Pipeline(tokenizerJson)
  } catch (cause) {
    if (cause instanceof GraftError) throw cause
    throw unsupported(cause instanceof Error ? cause.message : String(cause), cause)
  }
}

/** The special token that the template writes right after an assistant's text. */
function terminatorId(chat: ChatTemplate, inner: Pipeline): number | null {
  const mark = 'answer'
  try {
    const text = chat.render(
      [
        { role: 'user', content: 'question' },
        { role: 'assistant', content: mark },
      ],
      false,
    )
    const at = text.lastIndexOf(mark)
    const [first] = inner.encode(text.slice(at + mark.length).trimStart())
    return at >= 0 && first !== undefined && inner.added.get(first)?.special ? first : null
  } catch {
    return null
  }
}

/**
 * The text of one token on its own. A space before a word belongs to the word: so it is in byte-level and SentencePiece
 * vocabularies, and so it is read into WordPiece's, whose words lack the mark that their other parts have.
 */
function textOfTokens(inner: Pipeline, decoder: unknown): (id: number) => string {
  const texts = new Map<number, string>()
  const byteLevel = hasDecoder(decoder, 'ByteLevel')
  const wordPiece = hasDecoder(decoder, 'WordPiece')
  const prefix = wordPiece ? ((decoder as { prefix?: string }).prefix ?? '##') : ''
  const read = (id: number): string => {
    const token = inner.tokens.get(id)
    if (token === undefined) return REPLACEMENT
    if (byteLevel) return inner.decode([id], true)
    if (inner.added.get(id)?.special) return token
    if (wordPiece) return token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`
    const byte = fallbackByte(token)
    if (byte === undefined) return token.replaceAll('▁', ' ')
    return byte < 0x80 ? String.fromCharCode(byte) : REPLACEMENT
  }
  return (id) => {
    let text = texts.get(id)
    if (text === undefined) texts.set(id, (text = read(id)))
    return text
  }
}

function chatTemplateOf(config: TokenizerConfig, file?: string): ChatTemplate | null {
  const named = config.chat_template
  const source =
    file ??
    (Array.isArray(named) ? (named.find(({ name }) => name === 'default') ?? named[0])?.template : named)
  if (!source) return null
  const variables: Record<string, string> = {}
  for (const key of ['bos_token', 'eos_token', 'pad_token', 'unk_token'] as const) {
    const token = config[key]
    if (token) variables[key] = contentOf(token)
  }
  return new ChatTemplate(source, variables)
}

function contentOf(token: Exclude<SpecialToken, null>): string {
  return typeof token === 'string' ? token : token.content
}
