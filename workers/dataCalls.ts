// What the data worker does, call by call. The store is opened at the first call, and swept of what crashes left.
import { SPLIT_NAMES, type Dataset, type Row } from '../src/protocol/data.ts'
import type { DataCalls, DataEvent } from '../src/protocol/engine.ts'
import { GraftError } from '../src/protocol/errors.ts'
import type { CallContext } from '../src/protocol/progress.ts'
import type { FoundRow } from '../src/protocol/table.ts'
import { openStore, type Store } from '../src/store/database.ts'
import {
  getDataset,
  listDatasets,
  readParts,
  readRowsAt,
  removeDataset,
  updateDataset,
} from '../src/store/datasets.ts'
import { whileWriting } from '../src/store/locks.ts'
import { sweep } from '../src/store/sweep.ts'
import { configured } from './configure.ts'
import { healthReport } from './health.ts'
import { appendFiles, importFiles } from './import/importFiles.ts'
import { pastedFile } from './import/pasted.ts'
import { previewFiles } from './import/previewFiles.ts'
import { profileDataset } from './profile.ts'
import { applyRecipe, extendRecipe, recipeState, undoRecipe } from './recipe/calls.ts'
import { editCells } from './recipe/edits.ts'
import { splitDataset } from './recipe/splits.ts'
import { takeOut } from './recipe/takeOut.ts'
import { checkId, checkSettings } from './requests.ts'
import type { Handlers } from './serve.ts'
import { Views } from './view.ts'

/** The calls of the data worker; `open` is given by tests. */
export function dataCalls(emit: (event: DataEvent) => void, open = openSwept): Handlers<DataCalls> {
  let store: Promise<Store> | null = null
  let changes: Promise<unknown> = Promise.resolve()
  const views = new Views()

  const opened = (): Promise<Store> => {
    store ??= open((reason) => {
      // After cleared data the next call starts anew; after an upgrade by another tab only a reload helps.
      if (reason === 'cleared') store = null
    }).catch((error: unknown) => {
      store = null
      throw error
    })
    return store
  }
  /** One change after the other, so that none is made to a dataset as it was before another. */
  const changing = <T>(work: () => Promise<T>): Promise<T> => {
    const result = changes.then(work)
    changes = result.catch(() => undefined)
    return result
  }
  const changed = (dataset: Dataset): Dataset => {
    views.splitChanged(dataset.id)
    emit({ type: 'dataset', dataset })
    return dataset
  }

  return withIds({
    importFile: async ({ file, options }, context) =>
      changed(await importFiles(await opened(), [file], options, context)),
    importFiles: async ({ files, options }, context) =>
      changed(await importFiles(await opened(), files, checkSettings('import', options), context)),
    appendFiles: ({ id, files, options }, context) =>
      changing(async () => {
        checkSettings('append', options)
        const { added, ...dataset } = await appendFiles(await opened(), id, files, options, context)
        return { ...changed(dataset), added }
      }),
    previewFiles: async ({ files, options }, context) =>
      previewFiles(await opened(), files, checkSettings('preview', options), context),
    pastedFile: (copied) => pastedFile(checkSettings('pasted', copied)),
    listDatasets: async () => listDatasets(await opened()),
    getDataset: async ({ id }) => getDataset(await opened(), id),
    rows: async ({ id, query = {} }, context) =>
      (await views.search(await opened(), id, checkSettings('rows', query), context)).rows.map(withoutHits),
    health: async ({ id, options }, context) =>
      healthReport(await opened(), id, checkSettings('health', options), context),
    rowsAt: async ({ id, indices }) => rowsAt(await opened(), id, indices),
    removeDataset: async ({ id }) => {
      await removeDataset(await opened(), id)
      views.forget(id)
      emit({ type: 'datasetRemoved', id })
    },
    configure: ({ id, config }, context) =>
      changing(async () => {
        checkSettings('configure', config)
        const at = await opened()
        const before = await getDataset(at, id)
        const dataset = await configured(at, before, config, context.signal)
        const { chosen } = await readParts(at, id)
        const wanted = dataset.config?.task === 'classify' ? dataset.config.columns.label : undefined
        if (chosen || before.split?.stratify === wanted) {
          await updateDataset(at, dataset)
          return changed(dataset)
        }
        // Nobody chose the split: it follows the task, so that every label keeps its share in each part.
        return changed(await whileWriting(() => splitDataset(at, dataset, {}, false, context)))
      }),
    split: ({ id, config = {} }, context) =>
      changing(async () => {
        checkSettings('split', config)
        const at = await opened()
        const dataset = await getDataset(at, id)
        return changed(await whileWriting(() => splitDataset(at, dataset, config, true, context)))
      }),
    recipe: async ({ id }) => recipeState(await opened(), id),
    applyRecipe: ({ id, recipe }, context) =>
      changing(async () => changed(await applyRecipe(await opened(), id, recipe, context))),
    extendRecipe: ({ id, steps }, context) =>
      changing(async () => changed(await extendRecipe(await opened(), id, steps, context))),
    undoRecipe: ({ id }, context) =>
      changing(async () => changed(await undoRecipe(await opened(), id, context))),
    takeOut: async ({ id, request }, context) =>
      takeOut(await opened(), id, checkSettings('export', request), context),
    searchRows: async ({ id, query = {} }, context) =>
      views.search(await opened(), id, checkSettings('search', query), context),
    placeOf: async ({ id, index, query = {} }, context) =>
      views.place(await opened(), id, index, checkSettings('place', query), context),
    editCells: ({ id, changes }, context) =>
      changing(async () => changed(await editCells(await opened(), id, changes, context))),
    profileDataset: async ({ id, options }, context) => {
      checkSettings('profile', options)
      const at = await opened()
      return profileDataset(at, await getDataset(at, id), await views.of(at, id), options, context)
    },
  })
}

/** Whatever is asked about a dataset names it by a text. */
function withIds(calls: Handlers<DataCalls>): Handlers<DataCalls> {
  type Call = (args: unknown, context: CallContext) => unknown
  const named =
    (call: Call): Call =>
    (args, context) => {
      if (typeof args === 'object' && args !== null && 'id' in args) checkId(args.id)
      return call(args, context)
    }
  return Object.fromEntries(
    Object.entries(calls).map(([method, call]) => [method, named(call as Call)]),
  ) as unknown as Handlers<DataCalls>
}

async function openSwept(onClosed: (reason: 'upgrade' | 'cleared') => void): Promise<Store> {
  const store = await openStore({ onClosed })
  await sweep(store)
  return store
}

function withoutHits({ index, split, cells }: FoundRow): Row {
  return { index, split, cells }
}

/** Rows that are asked for by index in one call: a page of a list, not a dataset. */
const ROWS_AT_LIMIT = 1000

async function rowsAt(store: Store, id: string, indices: number[]): Promise<Row[]> {
  if (
    !Array.isArray(indices) ||
    indices.length > ROWS_AT_LIMIT ||
    !indices.every((index) => Number.isSafeInteger(index) && index >= 0)
  )
    throw new GraftError(
      'E_ARGUMENT',
      `rowsAt takes a list of at most ${ROWS_AT_LIMIT} rows, whole numbers from 0.`,
    )
  const { dataset, make } = await rowMaker(store, id)
  const rows = await readRowsAt(store, dataset, indices)
  return rows.map((cells, i) => make(cells, indices[i]!))
}

/** Makes rows of a dataset's cells. Throws E_NOT_FOUND. */
async function rowMaker(
  store: Store,
  id: string,
): Promise<{ dataset: Dataset; parts: Uint8Array; make: (cells: string[], index: number) => Row }> {
  const dataset = await getDataset(store, id)
  const { parts } = await readParts(store, id)
  const names = dataset.columns.map((column) => column.name)
  const make = (cells: string[], index: number): Row => ({
    index,
    split: SPLIT_NAMES[parts[index]!] ?? null,
    // Own properties, whatever the columns are called.
    cells: Object.fromEntries(names.map((name, i) => [name, cells[i] ?? ''])),
  })
  return { dataset, parts, make }
}
