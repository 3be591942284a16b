// Runs: one small record that is rewritten as a run goes on, and the history in pieces that are only ever appended, so
// that a step costs the bytes of that step. Checkpoints are listed from the ledger, which alone knows which are whole.
import { storedAdapter } from '../protocol/adapterSettings.ts'
import { storedTraining } from '../protocol/settings.ts'
import { GraftError } from '../protocol/errors.ts'
import type { HistoryEntry, Run } from '../protocol/run.ts'
import { listCheckpoints, removeCheckpoints } from './checkpoints.ts'
import type { RunRecord, Store } from './database.ts'
import { removeFilm } from './films.ts'
import { guarded } from './quota.ts'
import { removeRowEpochs } from './rowEpochs.ts'

/** Writes a run's record; its `history` and `checkpoints` are ignored here (appendHistory, saveCheckpoint). */
export async function putRun(store: Store, run: Run | Omit<Run, 'history'>): Promise<void> {
  const kept: Partial<Run> = { ...run }
  delete kept.history
  delete kept.checkpoints
  const record: RunRecord = { id: run.id, createdAt: run.createdAt, run: kept as RunRecord['run'] }
  await guarded(() => store.main.runs.put(record))
}

/** Appends entries (steps rising, none empty); entries of the same first step are replaced. */
export async function appendHistory(store: Store, run: string, entries: HistoryEntry[]): Promise<void> {
  const first = entries[0]
  if (!first) return
  await guarded(() => store.main.history.put({ run, from: first.step, entries }))
}

/** Forgets the entries after `step`: a run that resumes there makes them anew. */
export async function truncateHistory(store: Store, run: string, step: number): Promise<void> {
  const { history } = store.main
  await guarded(() =>
    store.main.transaction('rw', history, async () => {
      await history.where('[run+from]').between([run, step], [run, Infinity], false, true).delete()
      const last = await history.where('[run+from]').between([run, -Infinity], [run, step], true, true).last()
      if (last && last.entries.some((entry) => entry.step > step))
        await history.put({ ...last, entries: last.entries.filter((entry) => entry.step <= step) })
    }),
  )
}

export async function readHistory(store: Store, run: string): Promise<HistoryEntry[]> {
  const found = await guarded(() =>
    store.main.history.where('[run+from]').between([run, -Infinity], [run, Infinity]).toArray(),
  )
  return found.flatMap((piece) => piece.entries)
}

/** A run with its history and its checkpoints. Throws E_NOT_FOUND. */
export async function getRun(store: Store, id: string): Promise<Run> {
  const record = await guarded(() => store.main.runs.get(id))
  if (!record)
    throw new GraftError('E_NOT_FOUND', `There is no run "${id}". It may have been removed.`, { id })
  return complete(store, record)
}

/** Every run with its history and checkpoints, oldest first. */
export async function listRuns(store: Store): Promise<Run[]> {
  const records = await guarded(() => store.main.runs.orderBy('createdAt').toArray())
  return Promise.all(records.map((record) => complete(store, record)))
}

/** Removes a run, its history, its film and its checkpoints; one that is not there is no error. */
export async function removeRun(store: Store, id: string): Promise<void> {
  const { runs, history } = store.main
  await guarded(() =>
    store.main.transaction('rw', runs, history, async () => {
      await runs.delete(id)
      await history.where('[run+from]').between([id, -Infinity], [id, Infinity]).delete()
    }),
  )
  await removeRowEpochs(store, id)
  await removeFilm(store, id)
  await removeCheckpoints(store, id)
}

async function complete(store: Store, record: RunRecord): Promise<Run> {
  const [history, checkpoints] = await Promise.all([
    readHistory(store, record.id),
    listCheckpoints(store, record.id),
  ])
  const infos = checkpoints.map(({ best: _best, ...info }) => info)
  const { config } = record.run
  // Earlier versions knew fewer settings.
  const whole = {
    ...config,
    adapter: storedAdapter(config.adapter),
    training: storedTraining(config.training),
  }
  return { ...record.run, config: whole, history, checkpoints: infos }
}
