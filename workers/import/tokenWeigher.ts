// How many tokens of a stored base a word takes, for texts that are cut into windows of tokens.
import { loadTokenizer } from '../../src/data/tokenizer.ts'
import type { Weigh } from '../../src/formats/plainText.ts'
import type { ImportOptions } from '../../src/protocol/bringIn.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import { readBlob } from '../../src/store/chunks.ts'
import type { Store } from '../../src/store/database.ts'
import { findModel } from '../../src/store/models.ts'

/** Words whose tokens are remembered. */
const REMEMBERED = 50_000

/** Null where words are to be counted. Throws E_NOT_FOUND where the base is not stored here. */
export async function tokenWeigher(store: Store, { unit, model }: ImportOptions): Promise<Weigh | null> {
  if (unit !== 'window' || model === undefined) return null
  const record = await findModel(store, model)
  if (!record)
    throw new GraftError(
      'E_NOT_FOUND',
      `There is no base "${model}" in this browser. Load it first, or count words.`,
      { id: model },
    )
  const json = async (name: string): Promise<unknown> => {
    const file = record.files.find((candidate) => candidate.name === name)
    return file && (JSON.parse(new TextDecoder().decode(await readBlob(store, file, name))) as unknown)
  }
  // The base was loaded before, so its tokenizer has been tried out and fits.
  const tokenizer = loadTokenizer(await json('tokenizer.json'), (await json('tokenizer_config.json')) ?? {})
  const known = new Map<string, number>()
  return (word) => {
    let tokens = known.get(word)
    if (tokens === undefined) {
      tokens = tokenizer.encode(word, { special: false }).length
      if (known.size < REMEMBERED) known.set(` ${word}`.slice(1), tokens)
    }
    return tokens
  }
}
