// A dataset's split as it is asked for: its columns read, its sizes in shares, its rows divided by their raw ids, so that the
// recipe may change without moving any of them.
import { DEFAULT_SPLIT, NO_PART, partsOfFolds, splitBy, withCounts } from '../../src/data/split.ts'
import { cook } from '../../src/data/recipe/cook.ts'
import { flowOf, type Flow } from '../../src/data/recipe/flow.ts'
import { hundredths, pausing } from '../../src/data/pause.ts'
import { nearGroups } from '../../src/data/recipe/nearGroups.ts'
import { RowKeys } from '../../src/data/recipe/rowKeys.ts'
import { timesOf } from '../../src/data/times.ts'
import { type Dataset, type SplitConfig, type SplitName, type SplitRequest } from '../../src/protocol/data.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import { NEAR_THRESHOLD } from '../../src/protocol/health.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import { TRAINING_STEPS } from '../../src/protocol/recipe.ts'
import type { RecipeRecord, Store } from '../../src/store/database.ts'
import { eachBatch, readParts } from '../../src/store/datasets.ts'
import { readRecipe, saveVersion } from '../../src/store/recipes.ts'
import { joinedGroups, textPlaces } from './alike.ts'
import { rawOf, rawParts, rawTable } from './raw.ts'
import { makeVersion } from './version.ts'

/**
 * Splits a dataset; hold `whileWriting`. What is left out is as by default, and a classify task is stratified by its label
 * unless the request names other columns, or none (`stratify: ''`). Throws E_ARGUMENT, E_DATASET, E_ABORTED.
 */
export async function splitDataset(
  store: Store,
  dataset: Dataset,
  request: SplitRequest,
  chosen: boolean,
  context: CallContext,
): Promise<Dataset> {
  const record = await readRecipe(store, dataset.id)
  const trains =
    record?.recipe.steps.some((step) => step.enabled !== false && TRAINING_STEPS.has(step.kind)) ?? false
  const raw = rawOf(dataset)
  const wanted = configOf(request, dataset)
  const made =
    (await sameFolds(store, dataset, wanted)) ??
    (await drawn(
      dataset.version
        ? await cleanFlow(store, dataset, record!, trains, context)
        : flowOf(rawTable(store, dataset)),
      dataset,
      wanted,
      request,
      context,
    ))
  const { parts, config } = made
  const folds = made.folds && { folds: made.folds }
  throwIfAborted(context.signal)
  if (trains) {
    const split = withCounts(config, parts)
    return makeVersion(
      store,
      { ...raw, split },
      { parts, ...folds, chosen },
      record!.recipe,
      record!.past,
      context,
    )
  }
  const ofRows = dataset.version ? Uint8Array.from(record!.ids!, (id) => parts[id]!) : parts
  const next = { ...dataset, split: withCounts(config, ofRows) }
  const below = dataset.version && { raw: parts }
  await saveVersion(store, next, { parts: ofRows, ...below, ...folds, chosen }, null)
  return next
}

/** The rows without those that steps added to the training part, and with those that they left out. */
async function cleanFlow(
  store: Store,
  dataset: Dataset,
  record: RecipeRecord,
  trains: boolean,
  { signal }: CallContext,
): Promise<Flow> {
  if (trains) return cook(rawTable(store, rawOf(dataset)), record.recipe, { withoutTraining: true, signal })
  const ids = record.ids!
  return {
    columns: dataset.columns.map(({ name }) => name),
    async *batches() {
      for await (const { start, rows } of eachBatch(store, dataset))
        yield rows.map((cells, i) => ({ cells, id: ids[start + i]!, synthetic: false }))
    },
  }
}

/** A split of the raw rows: NO_PART for one that the recipe leaves out. */
interface Divided {
  parts: Uint8Array
  folds?: Uint8Array
  config: SplitConfig
}

async function drawn(
  flow: Flow,
  dataset: Dataset,
  wanted: SplitConfig,
  request: SplitRequest,
  { signal, progress }: CallContext,
): Promise<Divided> {
  const placeOf = (name: string): number => {
    const place = flow.columns.indexOf(name)
    if (place < 0)
      throw new GraftError(
        'E_DATASET',
        `The dataset has no column "${name}". Its columns: ${flow.columns.join(', ')}.`,
        {
          column: name,
        },
      )
    return place
  }
  const by = wanted.by ?? (wanted.stratify === undefined ? [] : [wanted.stratify])
  const strataPlaces = by.map(placeOf)
  const groupPlace = wanted.group === undefined ? -1 : placeOf(wanted.group)
  const timePlace = wanted.time === undefined ? -1 : placeOf(wanted.time)
  const ids: number[] = []
  const strata: string[] = []
  const times: string[] = []
  const groupKeys = new RowKeys()
  let groups: Uint32Array | number[] = []
  for await (const rows of flow.batches()) {
    throwIfAborted(signal)
    for (const { cells, id } of rows) {
      const cell = (place: number): string => (cells[place] ?? '').trim()
      if (strataPlaces.length > 0) strata.push(strataPlaces.map(cell).join('\u001f'))
      if (timePlace >= 0) times.push(cell(timePlace))
      // A row without a value is a group of its own.
      if (groupPlace >= 0)
        (groups as number[]).push(
          groupKeys.number(cell(groupPlace) === '' ? `\u001f${ids.length}` : cell(groupPlace)),
        )
      ids.push(id)
    }
    progress({ label: 'Reading the rows', done: ids.length, total: dataset.rows, unit: 'rows' })
  }
  if (wanted.near !== undefined) {
    const alike = await nearGroups(flow, textPlaces(dataset, flow.columns), wanted.near, {
      seed: wanted.seed,
      rows: dataset.rows,
      pause: pausing(signal, hundredths('Looking for near-duplicates', progress)),
    })
    groups = groupPlace < 0 ? alike : joinedGroups(groups, alike)
  }
  const config = request.unit === 'rows' ? inShares(wanted, request, ids.length) : wanted
  const timed = timePlace < 0 ? null : timesOf(times)
  if (timed?.every((time) => Number.isNaN(time)))
    throw new GraftError(
      'E_DATASET',
      `The column "${wanted.time}" holds no time that can be read, such as 2024-03-01. Choose another column.`,
      { column: wanted.time },
    )
  const { parts, folds } = splitBy(ids.length, config, {
    strata: strataPlaces.length > 0 ? strata : null,
    groups: groups.length > 0 ? groups : null,
    times: timed,
  })
  const spread = (values: Uint8Array): Uint8Array => {
    const all = new Uint8Array(rawOf(dataset).rows).fill(NO_PART)
    for (const [row, id] of ids.entries()) all[id] = values[row]!
    return all
  }
  return { parts: spread(parts), ...(folds && { folds: spread(folds) }), config }
}

/** Another fold of the same folds validates: nothing is drawn anew. */
async function sameFolds(store: Store, dataset: Dataset, wanted: SplitConfig): Promise<Divided | null> {
  if (wanted.folds === undefined || !dataset.split) return null
  const { rows: _rows, fold: _fold, ...now } = dataset.split
  const { fold = 0, ...rest } = wanted
  if (!sameMembers(now, rest)) return null
  const before = await readParts(store, dataset.id)
  const { folds } = before
  if (!folds || !(fold < wanted.folds)) return null
  const parts = partsOfFolds(folds, fold)
  // What had no part before has none now.
  rawParts(before).forEach((part, row) => {
    if (part === NO_PART) parts[row] = NO_PART
  })
  return { parts, folds, config: wanted }
}

const sameMembers = (a: object, b: object): boolean =>
  JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort())

/** The request with its defaults; sizes in rows are looked at later, when the rows are counted. */
function configOf(request: SplitRequest, dataset: Dataset): SplitConfig {
  const given = Object.fromEntries(
    Object.entries(request).filter(([name, value]) => value !== undefined && name !== 'rows'),
  ) as SplitRequest
  const { by, near, unit, stratify, ...rest } = given
  if (unit !== undefined && unit !== 'share' && unit !== 'rows')
    throw new GraftError(
      'E_ARGUMENT',
      `The unit of the parts must be "share" or "rows", but is ${String(unit as unknown)}.`,
    )
  if (by !== undefined && stratify)
    throw new GraftError(
      'E_ARGUMENT',
      'Give the columns whose values keep their shares either as by or as stratify.',
    )
  const strata = by === undefined ? undefined : [by].flat()
  if (strata?.some((name) => typeof name !== 'string'))
    throw new GraftError('E_ARGUMENT', 'by must be the name of a column, or a list of names.')
  const label = dataset.config?.task === 'classify' ? dataset.config.columns.label : undefined
  const free = rest.time !== undefined || rest.group !== undefined
  const single = strata
    ? strata.length === 1
      ? strata[0]
      : undefined
    : (stratify ?? (free ? undefined : label))
  const sizes = unit === 'rows' ? { train: 0.8, validation: 0.1, test: 0.1 } : {}
  const similarity = near === true ? NEAR_THRESHOLD : near
  return {
    ...DEFAULT_SPLIT,
    ...restOf(rest),
    ...rest,
    ...sizes,
    ...(single ? { stratify: single } : {}),
    ...(strata && strata.length > 1 ? { by: strata } : {}),
    ...(similarity === undefined || similarity === false ? {} : { near: similarity }),
  }
}

/** Shares that are left out where others are given: training gets what is left, and folds share what does not test. */
function restOf({ train, validation, test, folds }: Partial<SplitConfig>): Partial<SplitConfig> {
  if (train !== undefined) return {}
  const held = test ?? DEFAULT_SPLIT.test
  const checks =
    validation ?? (Number.isInteger(folds) && folds! > 1 ? (1 - held) / folds! : DEFAULT_SPLIT.validation)
  const left = Number((1 - held - checks).toFixed(12))
  // What cannot be is left to the check, which names it.
  return left > 0 && left <= 1 ? { validation: checks, train: left } : {}
}

/** Sizes in rows as shares of the rows that there are. */
function inShares(config: SplitConfig, request: SplitRequest, rows: number): SplitConfig {
  const { validation = 0, test = 0 } = request
  const train = request.train ?? rows - validation - test
  for (const [name, size] of Object.entries({ train, validation, test }) as [SplitName, number][])
    if (!Number.isSafeInteger(size) || size < 0)
      throw new GraftError(
        'E_ARGUMENT',
        `The ${name} rows must be a whole number from 0, but are ${String(size)}.`,
      )
  if (train + validation + test !== rows)
    throw new GraftError(
      'E_ARGUMENT',
      `The parts have ${train + validation + test} rows together, but there are ${rows}. Leave train out, and it gets what is left.`,
    )
  return { ...config, train: train / rows, validation: validation / rows, test: test / rows }
}
