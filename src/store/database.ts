// The browser's database: what is kept, under which keys, and how it is opened.
// Two databases, because durability is a property of a database: the main one commits with the browser's fast
// `relaxed` durability, the ledger with `strict`, so that a checkpoint's pointer is on disk when we say "saved".
import { Dexie, type Table } from 'dexie'
import type { Dataset, TaskConfig } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import type { FilmOutput } from '../protocol/explain.ts'
import type { AdapterInfo, ModelInfo, Precision } from '../protocol/model.ts'
import type { Recipe, StepReport } from '../protocol/recipe.ts'
import type { AdapterConfig, HistoryEntry, Run } from '../protocol/run.ts'
import { guarded } from './quota.ts'

/**
 * Our own version of the layout: Dexie opens a newer database without complaint, we must not. 2: rows as one text; 3: versions
 * whose rows are under several keys, which an earlier sweep would remove; 4: rows in files.
 */
export const SCHEMA_VERSION = 4

/**
 * Consecutive rows, cells in the order of the dataset's columns. `batch` is the number of the first row in thousands: 3 is
 * row 3000, and 3.25 row 3250 where long rows did not fit one value. No batch goes beyond the next thousand.
 */
export type RowBatch = { dataset: string; batch: number } & (PackedRows | FiledRows | PlainRows)

/**
 * The cells one row after the other as one text: a browser copies a value when it is stored, and once more to find its key,
 * and one long text costs it far less than thousands of short ones.
 */
export interface PackedRows {
  width: number
  text: string
  /** Length of each cell, in UTF-16 units. */
  lengths: Uint32Array
}

/** Rows that are in a file, as rowChunk.ts lays them. */
export interface FiledRows {
  width: number
  file: string
  /** Where the bytes of the cells begin in it, and how many there are. */
  at: number
  bytes: number
  cells: number
}

/** A file of rows, from its creation on; without this record it is removed. */
export interface RowFileRecord {
  file: string
  dataset: string
  /** Number of its first row. */
  first: number
}

/** As the first version of the schema wrote them. */
export interface PlainRows {
  rows: string[][]
}

/** Part of each row: an index into SPLIT_NAMES, one byte a row. */
export interface PartsRecord {
  id: string
  parts: Uint8Array
  /** The same for each raw row, where a recipe made others of them: 255 for a row that had left before the split. */
  raw?: Uint8Array
  /** Fold of each raw row, 255 for none; only of a split into folds. */
  folds?: Uint8Array
  /** The user asked for this split; otherwise it is the default one and may follow the task. */
  chosen: boolean
}

/** The recipe of a dataset, what it did, and which raw row stands behind each row. */
export interface RecipeRecord {
  id: string
  recipe: Recipe
  /** The recipes before it, the latest last. */
  past: Recipe[]
  reports: (StepReport | null)[]
  /** The confirmed task whose columns or labels the recipe took away; it comes back with them. */
  task?: TaskConfig
  /** Raw id of each row; absent where the rows are the raw ones. */
  ids?: Uint32Array
  /** 1 for each row that a step added. */
  synthetic?: Uint8Array
  /** Weight of each row in the loss; absent where no step gives any. */
  weights?: Float64Array
}

/** Bytes in the chunk table, and what they must hash to. */
export interface BlobEntry {
  blob: string
  bytes: number
  /** Hex. */
  sha256: string
}

export interface ModelFile extends BlobEntry {
  /** Path inside the model's folder: "model.safetensors". */
  name: string
}

/** A base model whose files are in this browser. */
export interface ModelRecord {
  id: string
  createdAt: number
  info: ModelInfo
  files: ModelFile[]
  /** The precision that was asked for when it was last loaded; absent: the best that fits. */
  precision?: Precision
}

/** An imported adapter; its tensors are a blob. */
export interface AdapterRecord {
  id: string
  /** Id of its base. */
  model: string
  createdAt: number
  info: AdapterInfo
  config: AdapterConfig
  /** Commit or branch of the base that its own files name. */
  revision: string | null
  blob: BlobEntry
}

/** A file of the Hub that is not part of a model yet: bytes of it that have arrived, and must not be swept. */
export interface DownloadRecord {
  /** Which bytes: repository, commit and path. */
  key: string
  blob: string
  /** When the last of its bytes came, in milliseconds since 1970. */
  touchedAt: number
  /** Hex, once it is complete and checked. */
  sha256?: string
}

export interface ChunkRecord {
  blob: string
  index: number
  bytes: Uint8Array
}

/** A run without what is kept elsewhere: its history (own table) and its checkpoints (ledger). */
export interface RunRecord {
  id: string
  createdAt: number
  run: Omit<Run, 'history' | 'checkpoints'>
}

/** A piece of a run's history: the entries from step `from` on, until the next piece. */
export interface HistoryPiece {
  run: string
  from: number
  entries: HistoryEntry[]
}

/** What a run's model said of its training rows in one epoch, before it learnt from them (core/train/rowTap.ts). */
export interface RowEpoch {
  run: string
  /** From 0. */
  epoch: number
  /** By place in the training part: probability of the row's label or text; not a number where the row was not met. */
  gold: Float32Array
  /** The most likely class; null of a language model. */
  predicted: Uint16Array | null
}

/** A frame of a run's film: one pinned text, by its number, after a step. */
export interface FrameRecord {
  run: string
  text: number
  step: number
  /** Of the maps. */
  bytes: number
  /** [L, H, T, T] in float16. */
  attention: Uint16Array | null
  /** [T] */
  saliency: Float32Array | null
  /** Index of the output that saliency explains. */
  explained: number
  /** The likeliest first. */
  outputs: FilmOutput[]
}

/** A pointer of the ledger: this checkpoint of this run is complete, and here are its bytes. */
export interface CheckpointRecord extends BlobEntry {
  run: string
  id: string
  step: number
  createdAt: number
  validationLoss?: number
  best: boolean
}

/** What the kernels of a GPU were found to run best with; of use to the engine alone. */
export interface TuningRecord {
  /** Adapter, its features and the version of the kernels. */
  adapter: string
  choices: Record<string, string>
}

export interface MainDatabase extends Dexie {
  datasets: Table<Dataset, string>
  parts: Table<PartsRecord, string>
  recipes: Table<RecipeRecord, string>
  rows: Table<RowBatch, [string, number]>
  rowFiles: Table<RowFileRecord, string>
  models: Table<ModelRecord, string>
  adapters: Table<AdapterRecord, string>
  chunks: Table<ChunkRecord, [string, number]>
  downloads: Table<DownloadRecord, string>
  runs: Table<RunRecord, string>
  history: Table<HistoryPiece, [string, number]>
  tuning: Table<TuningRecord, string>
  rowEpochs: Table<RowEpoch, [string, number]>
  frames: Table<FrameRecord, [string, number, number]>
}

export interface LedgerDatabase extends Dexie {
  checkpoints: Table<CheckpointRecord, [string, string]>
  facts: Table<{ key: string; value: number }, string>
}

export interface Store {
  main: MainDatabase
  ledger: LedgerDatabase
  close(): void
}

export interface StoreOptions {
  /** Prefix of the database names; tests use their own. */
  name?: string
  /** The databases went away under us: another tab is upgrading Graft, or the site's data was cleared. */
  onClosed?: (reason: 'upgrade' | 'cleared') => void
}

/**
 * Opens both databases. Throws E_STORAGE when the browser refuses, when an older tab blocks the upgrade
 * (details.reason `blocked`), or when a newer Graft made the data (details.reason `newer`).
 */
export async function openStore(options: StoreOptions = {}): Promise<Store> {
  const name = options.name ?? 'graft'
  const main = new Dexie(name) as MainDatabase
  main.version(1).stores({
    datasets: 'id, createdAt',
    parts: 'id',
    rows: '[dataset+batch]',
    models: 'id, createdAt',
    chunks: '[blob+index]',
    runs: 'id, createdAt',
    history: '[run+from]',
  })
  main.version(2).stores({ downloads: 'key' })
  main.version(3).stores({ adapters: 'id, model, createdAt' })
  main.version(4).stores({ tuning: 'adapter' })
  main.version(5).stores({ recipes: 'id' })
  main
    .version(6)
    .stores({ rowFiles: 'file, dataset', rowEpochs: '[run+epoch]', frames: '[run+text+step], run' })
  const ledger = new Dexie(`${name}-ledger`, { chromeTransactionDurability: 'strict' }) as LedgerDatabase
  ledger.version(1).stores({ checkpoints: '[run+id], run', facts: 'key' })
  let open = true
  const store: Store = {
    main,
    ledger,
    close: () => {
      if (!open) return
      open = false
      main.close()
      ledger.close()
    },
  }
  const closed = (reason: 'upgrade' | 'cleared'): void => {
    if (!open) return
    store.close()
    options.onClosed?.(reason)
  }
  for (const database of [main, ledger]) {
    database.on('versionchange', () => closed('upgrade'))
    // Fired by our own close() too; then `open` is already false.
    database.on('close', () => closed('cleared'))
  }
  try {
    await Promise.all([openDatabase(main), openDatabase(ledger)])
    await checkSchema(ledger)
  } catch (error) {
    store.close()
    throw error
  }
  return store
}

function openDatabase(database: Dexie): Promise<unknown> {
  const blocked = new Promise<never>((_resolve, reject) => {
    database.on('blocked', () =>
      reject(
        new GraftError(
          'E_STORAGE',
          'Another tab holds an older version of Graft. Close or reload that tab, then reload this one.',
          { reason: 'blocked' },
        ),
      ),
    )
  })
  return guarded(() => Promise.race([database.open(), blocked]))
}

async function checkSchema(ledger: LedgerDatabase): Promise<void> {
  const found = await guarded(() => ledger.facts.get('schemaVersion'))
  // Version 2 reads what version 1 wrote as it stands; only the other way round it must be told.
  if (found === undefined || found.value < SCHEMA_VERSION)
    await guarded(() => ledger.facts.put({ key: 'schemaVersion', value: SCHEMA_VERSION }))
  else if (found.value > SCHEMA_VERSION)
    throw new GraftError(
      'E_STORAGE',
      'The data in this browser was created by a newer version of Graft. Reload the page to get that version.',
      { reason: 'newer', found: found.value, known: SCHEMA_VERSION },
    )
}
