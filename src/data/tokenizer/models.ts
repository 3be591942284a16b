// The models of a tokenizer.json: they cut a piece into tokens of the vocabulary.
// https://huggingface.co/docs/tokenizers/api/models
import { makeBpe } from './bpe.ts'
import { count, object, text, unsupported, vocabulary, type Json } from './json.ts'
import { makeUnigram } from './unigram.ts'

export interface Model {
  /** Token -> id, without added tokens. */
  readonly vocabulary: ReadonlyMap<string, number>
  /** Id -> token, where one token may have several ids. */
  readonly tokens?: readonly string[]
  /** Ids of one piece, which is not empty. */
  encode(piece: string): number[]
}

/** Throws E_MODEL_UNSUPPORTED for a model that is not known. */
export function makeModel(value: unknown): Model {
  const json = object(value, 'model')
  // Old files do not name the model.
  switch (json.type ?? (json.merges ? 'BPE' : 'WordPiece')) {
    case 'BPE':
      return makeBpe(json)
    case 'WordPiece':
      return makeWordPiece(json)
    case 'Unigram':
      return makeUnigram(json)
    case 'WordLevel':
      return makeWordLevel(json)
    default:
      throw unsupported(`it has the model ${JSON.stringify(json.type)}, which Graft does not know`)
  }
}

/** The longest piece that is in the vocabulary, again and again; a word with a rest that is not is unknown as a whole. */
function makeWordPiece(json: Json): Model {
  const ids = vocabulary(json.vocab)
  const unknown = unknownId(json, ids)
  const prefix =
    json.continuing_subword_prefix === undefined ? '##' : text(json.continuing_subword_prefix, 'prefix')
  const most =
    json.max_input_chars_per_word === undefined ? 100 : count(json.max_input_chars_per_word, 'word limit')
  return {
    vocabulary: ids,
    encode(piece) {
      const chars = Array.from(piece)
      if (chars.length > most) return [unknown]
      const out: number[] = []
      for (let start = 0; start < chars.length;) {
        let end = chars.length
        let id: number | undefined
        for (; end > start; end--) {
          id = ids.get((start > 0 ? prefix : '') + chars.slice(start, end).join(''))
          if (id !== undefined) break
        }
        if (id === undefined) return [unknown]
        out.push(id)
        start = end
      }
      return out
    },
  }
}

function makeWordLevel(json: Json): Model {
  const ids = vocabulary(json.vocab)
  const unknown = unknownId(json, ids)
  return { vocabulary: ids, encode: (piece) => [ids.get(piece) ?? unknown] }
}

function unknownId(json: Json, ids: ReadonlyMap<string, number>): number {
  const token = text(json.unk_token, 'unknown token')
  const id = ids.get(token)
  if (id === undefined)
    throw unsupported(`its unknown token ${JSON.stringify(token)} is not in its vocabulary`)
  return id
}
