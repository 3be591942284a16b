// A tokenizer.json at work: added tokens are found, the rest is normalised, cut into pieces, and the pieces into tokens.
// The stages are those of Hugging Face's `tokenizers`, and give its ids to the letter (tests/golden/tokenizers).
import { readAddedTokens, TokenFinder, type AddedToken } from './addedTokens.ts'
import { wellFormed } from './characters.ts'
import { makeDecoder, type Decoder } from './decoders.ts'
import { object } from './json.ts'
import { makeModel, type Model } from './models.ts'
import { makeNormalizer, type Normalizer } from './normalizers.ts'
import { makePostProcessor, type Around } from './postProcessor.ts'
import { makePreTokenizer, type PreTokenizer } from './preTokenizers.ts'

export class Pipeline {
  readonly around: Around
  /** Token by id, added tokens included. */
  readonly tokens: ReadonlyMap<number, string>
  readonly added: ReadonlyMap<number, AddedToken>
  readonly #ids: ReadonlyMap<string, number>
  readonly #normalize: Normalizer
  readonly #preTokenize: PreTokenizer
  readonly #model: Model
  readonly #decode: Decoder
  readonly #verbatim: TokenFinder
  readonly #normalized: TokenFinder

  /** Throws E_MODEL_UNSUPPORTED, naming what is not known or wrong. */
  constructor(tokenizerJson: unknown) {
    const json = object(tokenizerJson, 'file')
    this.#normalize = makeNormalizer(json.normalizer)
    this.#preTokenize = makePreTokenizer(json.pre_tokenizer)
    this.#model = makeModel(json.model)
    this.#decode = makeDecoder(json.decoder)
    this.around = makePostProcessor(json.post_processor)
    const added = readAddedTokens(json.added_tokens)
    this.#verbatim = new TokenFinder(added.filter(({ normalized }) => !normalized))
    this.#normalized = new TokenFinder(
      added.filter(({ normalized }) => normalized),
      this.#normalize,
    )
    const ids = new Map(this.#model.vocabulary)
    for (const { content, id } of added) ids.set(content, id)
    this.#ids = ids
    this.added = new Map(added.map((token) => [token.id, token]))
    const tokens = new Map<number, string>(this.#model.tokens?.entries())
    for (const [token, id] of this.#model.vocabulary) tokens.set(id, token)
    for (const { content, id, normalized } of added)
      tokens.set(id, normalized ? this.#normalize(content) : content)
    this.tokens = tokens
  }

  id(token: string): number | null {
    return this.#ids.get(token) ?? null
  }

  /** Ids of a text, without what the tokenizer puts around it. */
  encode(text: string): number[] {
    const out: number[] = []
    for (const section of this.#verbatim.split(wellFormed(text))) {
      if (section.token) {
        out.push(section.token.id)
        continue
      }
      const first = section.start === 0 && this.#keepsStart(section.text)
      for (const part of this.#normalized.split(this.#normalize(section.text))) {
        if (part.token) out.push(part.token.id)
        else
          for (const piece of this.#preTokenize({ text: part.text, first: first && part.start === 0 }))
            for (const id of this.#model.encode(piece.text)) out.push(id)
      }
    }
    return out
  }

  /** Whether normalisation leaves something of the first character: else the text begins later, and not at its start. */
  #keepsStart(text: string): boolean {
    return this.#normalize(String.fromCodePoint(text.codePointAt(0)!)) !== ''
  }

  /** Text of ids; ids that are no token are passed over. */
  decode(ids: Iterable<number>, special: boolean): string {
    const tokens: string[] = []
    for (const id of ids) {
      const token = this.tokens.get(id)
      if (token !== undefined && (special || !this.added.get(id)?.special)) tokens.push(token)
    }
    return this.#decode(tokens).join('')
  }
}
