// What runs said of their training rows, a record an epoch: a run of any length writes only the epochs that it is in.
import type { RowEpoch, Store } from './database.ts'
import { guarded } from './quota.ts'

export type { RowEpoch } from './database.ts'

const all = (run: string): [[string, number], [string, number]] => [
  [run, -Infinity],
  [run, Infinity],
]

/** The epochs of a run, the first first. */
export function readRowEpochs(store: Store, run: string): Promise<RowEpoch[]> {
  return guarded(() =>
    store.main.rowEpochs
      .where('[run+epoch]')
      .between(...all(run))
      .toArray(),
  )
}

/** Writes epochs; those of the same run and number are replaced. Throws E_STORAGE. */
export async function putRowEpochs(store: Store, epochs: readonly RowEpoch[]): Promise<void> {
  await guarded(() => store.main.rowEpochs.bulkPut([...epochs]))
}

/** Forgets the epochs after one; all of a run without it. */
export async function removeRowEpochs(store: Store, run: string, after = -1): Promise<void> {
  await guarded(() =>
    store.main.rowEpochs.where('[run+epoch]').between([run, after], [run, Infinity], false, true).delete(),
  )
}
