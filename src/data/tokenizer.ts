// A model's tokenizer over @huggingface/tokenizers: text <-> ids as `transformers` gives them, the text of single tokens
// for explanations, and the chat template of the model.
import { Tokenizer } from '@huggingface/tokenizers'
import { GraftError } from '../protocol/errors.ts'
import type { Message } from '../protocol/target.ts'
import { ChatTemplate, type MarkedText } from './chatTemplate.ts'

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
  bos_token?: SpecialToken
  eos_token?: SpecialToken
  pad_token?: SpecialToken
  unk_token?: SpecialToken
  clean_up_tokenization_spaces?: boolean
  chat_template?: string | { name: string; template: string }[]
}
type SpecialToken = string | { content: string } | null

/**
 * Makes a tokenizer from the parsed `tokenizer.json` and `tokenizer_config.json`; `chatTemplate` is the text of
 * `chat_template.jinja` where the template is a file of its own. Throws E_MODEL_UNSUPPORTED.
 */
export function loadTokenizer(
  tokenizerJson: unknown,
  tokenizerConfig: unknown,
  chatTemplate?: string,
): TextTokenizer {
  const config = (tokenizerConfig ?? {}) as TokenizerConfig
  const inner = construct(tokenizerJson, config)
  const idOf = (token: SpecialToken | undefined): number | null =>
    token ? (inner.token_to_id(contentOf(token)) ?? null) : null
  const eosId = idOf(config.eos_token)
  const chat = chatTemplateOf(config, chatTemplate)
  const texts = new Map<number, string>()
  const byteLevel = hasByteLevel((tokenizerJson as { decoder: unknown }).decoder)
  const cleanUp = config.clean_up_tokenization_spaces ?? false

  const encode = (text: string, special: boolean): number[] =>
    // Text that the vocabulary cannot write (no unknown token, no bytes) has no id.
    inner.encode(text, { add_special_tokens: special }).ids.filter((id) => id !== undefined)

  const tokenText = (id: number): string => {
    const token = inner.id_to_token(id)
    if (token === undefined) return REPLACEMENT
    if (byteLevel) return inner.decode([id], { clean_up_tokenization_spaces: false })
    const byte = /^<0x([0-9A-F]{2})>$/.exec(token)?.[1]
    if (byte === undefined) return token.replaceAll('▁', ' ')
    const code = parseInt(byte, 16)
    return code < 0x80 ? String.fromCharCode(code) : REPLACEMENT
  }

  const vocabulary = inner.get_vocab()
  const [prefixIds, suffixIds] = around(encode('a', true), encode('a', false))
  const endIds = [eosId, chat ? terminatorId(chat, inner) : null].filter((id): id is number => id !== null)

  return {
    size: vocabulary.size,
    largestId: Array.from(vocabulary.values()).reduce((largest, id) => Math.max(largest, id), -1),
    bosId: idOf(config.bos_token),
    eosId,
    padId: idOf(config.pad_token) ?? eosId,
    endIds: [...new Set(endIds)],
    prefixIds,
    suffixIds,
    hasChatTemplate: chat !== null,
    prependsSpace: tokenText(encode('a', false)[0] ?? -1).startsWith(' '),
    isSpecial: (id) => inner.get_added_tokens_decoder().get(id)?.special ?? false,
    encode: (text, options = {}) => encode(text, options.special ?? true),
    decode(ids, options = {}) {
      // Models may have more rows in their embedding than the tokenizer has tokens.
      const known = Array.from(ids).filter((id) => inner.id_to_token(id) !== undefined)
      if (known.length === 0) return ''
      return inner.decode(known, {
        skip_special_tokens: !(options.special ?? false),
        clean_up_tokenization_spaces: cleanUp && !(options.exact ?? false),
      })
    },
    tokens: (ids) =>
      Array.from(ids, (id) => {
        let text = texts.get(id)
        if (text === undefined) texts.set(id, (text = tokenText(id)))
        return text
      }),
    renderChat(messages, addGenerationPrompt) {
      if (!chat)
        throw new GraftError('E_ARGUMENT', 'This model has no chat template; give it a plain prompt.')
      return chat.render(messages, addGenerationPrompt)
    },
    renderMarked: (messages) => chat?.renderMarked(messages) ?? null,
  }
}

function construct(tokenizerJson: unknown, config: TokenizerConfig): Tokenizer {
  try {
    return new Tokenizer(tokenizerJson as object, config)
  } catch (cause) {
    throw new GraftError(
      'E_MODEL_UNSUPPORTED',
      `The tokenizer of this model cannot be used: ${cause instanceof Error ? cause.message : String(cause)}. Choose another base model.`,
      {},
      { cause },
    )
  }
}

/** The special token that the template writes right after an assistant's text. */
function terminatorId(chat: ChatTemplate, inner: Tokenizer): number | null {
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
    const [first] = inner.encode(text.slice(at + mark.length).trimStart(), { add_special_tokens: false }).ids
    return at >= 0 && first !== undefined && inner.get_added_tokens_decoder().get(first)?.special
      ? first
      : null
  } catch {
    return null
  }
}

/** What stands before and after `plain` in `whole`. */
function around(whole: number[], plain: number[]): [number[], number[]] {
  for (let start = 0; start + plain.length <= whole.length; start++)
    if (plain.every((id, i) => whole[start + i] === id))
      return [whole.slice(0, start), whole.slice(start + plain.length)]
  return [[], []]
}

function hasByteLevel(decoder: unknown): boolean {
  const { type, decoders } = (decoder ?? {}) as { type?: string; decoders?: unknown[] }
  return type === 'ByteLevel' || (decoders ?? []).some(hasByteLevel)
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
