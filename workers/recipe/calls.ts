// The recipe of a dataset: looked at, replaced, and taken back step by step.
import { checkRecipe, DEFAULT_SEED } from '../../src/data/recipe/check.ts'
import type { Dataset } from '../../src/protocol/data.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import { RECIPE_VERSION, type Recipe, type RecipeState } from '../../src/protocol/recipe.ts'
import type { Store } from '../../src/store/database.ts'
import { getDataset, readParts } from '../../src/store/datasets.ts'
import { whileWriting } from '../../src/store/locks.ts'
import { readRecipe } from '../../src/store/recipes.ts'
import { rawOf, rawParts } from './raw.ts'
import { makeVersion, type RawSplit } from './version.ts'

/** Changes that can be taken back; the oldest are forgotten. */
export const UNDO_LIMIT = 100

/** Throws E_NOT_FOUND. */
export async function recipeState(store: Store, id: string): Promise<RecipeState> {
  const dataset = await getDataset(store, id)
  const record = await readRecipe(store, id)
  const raw = rawOf(dataset)
  const names = (columns: Dataset['columns']): string[] => columns.map(({ name }) => name)
  return {
    recipe: sourced(record?.recipe ?? emptyRecipe(), dataset),
    reports: record?.reports ?? [],
    raw: { rows: raw.rows, columns: names(raw.columns) },
    rows: dataset.rows,
    columns: names(dataset.columns),
    synthetic: dataset.version?.synthetic ?? 0,
    undoable: record?.past.length ?? 0,
  }
}

/**
 * Makes these the steps of the dataset's recipe. A list of steps keeps the recipe's seed; a whole recipe brings its own.
 * Throws E_ARGUMENT, E_DATASET, E_NOT_FOUND, E_STORAGE, E_ABORTED; then the dataset is as it was.
 */
export function applyRecipe(
  store: Store,
  id: string,
  given: unknown,
  context: CallContext,
): Promise<Dataset> {
  const wanted = checkRecipe(given)
  return whileWriting(async () => {
    const dataset = await getDataset(store, id)
    const record = await readRecipe(store, id)
    const before = record?.recipe ?? emptyRecipe()
    const recipe: Recipe = {
      version: RECIPE_VERSION,
      seed: Array.isArray(given) ? before.seed : wanted.seed,
      steps: wanted.steps,
    }
    const past = [...(record?.past ?? []), before].slice(-UNDO_LIMIT)
    return makeVersion(store, rawOf(dataset), await splitOf(store, id), recipe, past, context)
  })
}

/** Puts steps at the end of the recipe. Throws as `applyRecipe` does. */
export function extendRecipe(
  store: Store,
  id: string,
  given: unknown,
  context: CallContext,
): Promise<Dataset> {
  const { steps } = checkRecipe(given)
  return whileWriting(async () => {
    const record = await readRecipe(store, id)
    const before = record?.recipe ?? emptyRecipe()
    const recipe = { ...before, steps: checkRecipe([...before.steps, ...steps]).steps }
    const past = [...(record?.past ?? []), before].slice(-UNDO_LIMIT)
    const dataset = await getDataset(store, id)
    return makeVersion(store, rawOf(dataset), await splitOf(store, id), recipe, past, context)
  })
}

/** Goes back to the recipe before the latest change. Throws E_ARGUMENT where there is none, and as `applyRecipe` does. */
export function undoRecipe(store: Store, id: string, context: CallContext): Promise<Dataset> {
  return whileWriting(async () => {
    const dataset = await getDataset(store, id)
    const past = (await readRecipe(store, id))?.past ?? []
    const recipe = past.at(-1)
    if (!recipe)
      throw new GraftError(
        'E_ARGUMENT',
        `There is nothing to take back: the recipe of ${dataset.name} has not been changed, or every change was taken back.`,
        { id },
      )
    return makeVersion(store, rawOf(dataset), await splitOf(store, id), recipe, past.slice(0, -1), context)
  })
}

/** The split of the raw rows. */
export async function splitOf(store: Store, id: string): Promise<RawSplit> {
  const split = await readParts(store, id)
  return { parts: rawParts(split), chosen: split.chosen, ...(split.folds && { folds: split.folds }) }
}

/** The recipe with what it was made for, as it is exported. */
export function sourced(recipe: Recipe, dataset: Dataset): Recipe {
  const { name, sha256 } = dataset
  return { ...recipe, source: { name, sha256, rows: rawOf(dataset).rows } }
}

/** What a dataset has before anyone changes it. */
export function emptyRecipe(): Recipe {
  return { version: RECIPE_VERSION, seed: DEFAULT_SEED, steps: [] }
}
