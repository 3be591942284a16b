// Profiles of a dataset's columns, over the rows as they are seen (edits included), with the tokens of a stored base.
import { lengthSummary, Profiler } from '../src/data/profile/profiler.ts'
import { loadTokenizer, type TextTokenizer } from '../src/data/tokenizer.ts'
import type { DatasetView } from '../src/data/view/datasetView.ts'
import { pacer } from '../src/data/view/shared.ts'
import type { Dataset } from '../src/protocol/data.ts'
import { GraftError } from '../src/protocol/errors.ts'
import type { CallContext } from '../src/protocol/progress.ts'
import type { ColumnProfile, Profile, ProfileOptions } from '../src/protocol/table.ts'
import { readBlob } from '../src/store/chunks.ts'
import type { Store } from '../src/store/database.ts'
import { findModel } from '../src/store/models.ts'

/** Rows whose tokens are counted: enough for quantiles to within a hundredth, a second or two of work. */
export const TOKEN_SAMPLE = 5000
/** Values listed of a column unless told otherwise, and at most. */
const TOP = 20
const TOP_LIMIT = 1000

/** Throws E_ARGUMENT for an unknown column, E_NOT_FOUND for an unknown base, E_ABORTED. */
export async function profileDataset(
  store: Store,
  dataset: Dataset,
  view: DatasetView,
  { columns, split, model, top = TOP }: ProfileOptions,
  context: CallContext,
): Promise<Profile> {
  const names = dataset.columns.map(({ name }) => name)
  const wanted = columns ?? names
  const unknown = wanted.find((name) => !names.includes(name))
  if (unknown !== undefined)
    throw new GraftError(
      'E_ARGUMENT',
      `profile: there is no column "${unknown}". The columns are ${names.join(', ')}.`,
      { column: unknown },
    )
  if (!Number.isInteger(top) || top < 1 || top > TOP_LIMIT)
    throw new GraftError('E_ARGUMENT', `profile: top must be from 1 to ${TOP_LIMIT}, but is ${String(top)}.`)
  const places = wanted.map((name) => names.indexOf(name))
  const tokenizer = model === undefined ? null : await tokenizerOf(store, model)
  const part = split === undefined ? {} : { split }
  const chosen = await view.view(part, context)
  const described = await Promise.all(
    places.map(async (place) => {
      const { name, type } = dataset.columns[place]!
      return { name, type, ...(type === 'date' && { monthFirst: await view.monthFirst(place, context) }) }
    }),
  )
  const profiler = new Profiler(described, places)
  let next = 0
  await view.scan('Looking at the columns', context, (cell, row) => {
    if (chosen) {
      if (chosen[next] !== row) return
      next++
    }
    profiler.add(cell)
  })
  const profiles = profiler.finish(top)
  if (tokenizer) await addTokens(profiles, places, tokenizer, model!, view, part, context)
  return { rows: chosen ? chosen.length : dataset.rows, columns: profiles }
}

async function addTokens(
  profiles: ColumnProfile[],
  places: readonly number[],
  tokenizer: TextTokenizer,
  model: string,
  view: DatasetView,
  part: Pick<ProfileOptions, 'split'>,
  context: CallContext,
): Promise<void> {
  const sample = await view.view({ ...part, sample: { rows: TOKEN_SAMPLE } }, context)
  const texts = profiles.flatMap((profile, i) =>
    profile.type === 'text' ? [{ profile, place: places[i]! }] : [],
  )
  if (!sample || texts.length === 0) return
  const lengths = texts.map((): number[] => [])
  const pause = pacer(context, 'Counting tokens', sample.length)
  for (let from = 0; from < sample.length; from += 50) {
    const rows = await view.rows([...sample.subarray(from, from + 50)])
    for (const cells of rows)
      for (const [i, { place }] of texts.entries()) {
        const cell = cells[place]!
        if (cell.trim() !== '') lengths[i]!.push(tokenizer.encode(cell, { special: false }).length)
      }
    await pause(from + rows.length)
  }
  for (const [i, { profile }] of texts.entries()) {
    const summary = lengthSummary(lengths[i]!)
    profile.tokens = summary && { ...summary, model, sampled: sample.length }
  }
}

/** The tokenizer of a base in this browser; it was checked when the base was stored. */
async function tokenizerOf(store: Store, model: string): Promise<TextTokenizer> {
  const record = await findModel(store, model)
  if (!record)
    throw new GraftError('E_NOT_FOUND', `There is no base "${model}" in this browser. Load it first.`, {
      model,
    })
  const read = async (name: string): Promise<unknown> => {
    const file = record.files.find((candidate) => candidate.name === name)
    return file && JSON.parse(new TextDecoder().decode(await readBlob(store, file, name)))
  }
  const config = (await read('tokenizer_config.json')) as Parameters<typeof loadTokenizer>[1] | undefined
  return loadTokenizer(await read('tokenizer.json'), config ?? {}, undefined, record.info.vocab)
}
