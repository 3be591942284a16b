// The recipe of a dataset, and the rows that it gave. Rows are written first under a key of their own; the record that points
// at them, the split and the recipe change in one transaction, so a recipe is applied as a whole or not at all.
import type { Dataset } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import type { RecipeRecord, Store } from './database.ts'
import { keysOf, type SplitParts } from './datasets.ts'
import { guarded } from './quota.ts'

/** The recipe of a dataset, where it ever had one. */
export function readRecipe(store: Store, id: string): Promise<RecipeRecord | undefined> {
  return guarded(() => store.main.recipes.get(id))
}

/** The raw row behind each row of a dataset, or null where the rows are the raw ones. Synthetic rows have that of the row they
 *  were made from; 4,294,967,295 stands for none. */
export async function rawIds(store: Store, id: string): Promise<Uint32Array | null> {
  return (await readRecipe(store, id))?.ids ?? null
}

/** Makes a version visible, with its split and its recipe; the rows of the one before it are removed. Throws E_NOT_FOUND. */
export async function saveVersion(
  store: Store,
  dataset: Dataset,
  split: SplitParts,
  record: RecipeRecord | null,
): Promise<void> {
  const { datasets, parts, recipes, runs } = store.main
  const before = await guarded(() =>
    store.main.transaction('rw', datasets, parts, recipes, async () => {
      const found = await datasets.get(dataset.id)
      if (!found) return null
      await datasets.put(dataset)
      await parts.put({ id: dataset.id, ...split })
      if (record) await recipes.put(record)
      return found
    }),
  )
  if (!before)
    throw new GraftError('E_NOT_FOUND', `There is no dataset "${dataset.id}". It may have been removed.`, {
      id: dataset.id,
    })
  // Raw rows are never removed with a version, though a version may use them.
  const kept = new Set([dataset.id, ...(dataset.version ? keysOf(dataset.version) : [])])
  const old = before.version ? keysOf(before.version).filter((key) => !kept.has(key)) : []
  if (old.length === 0) return
  // A run that is under way goes on reading its rows; they are swept at a later start.
  const reading = await guarded(() =>
    runs.filter(({ run }) => run.config.dataset === dataset.id && UNDER_WAY.has(run.status)).count(),
  )
  if (reading === 0) for (const key of old) await removeVersion(store, key)
}

const UNDER_WAY = new Set(['queued', 'running', 'paused'])

/** Removes rows that nothing points at. */
export async function removeVersion(store: Store, key: string): Promise<void> {
  await guarded(() => store.main.rows.where('[dataset+batch]').between([key, 0], [key, Infinity]).delete())
}
