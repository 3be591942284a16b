// Which kernels were found to be fastest on which GPU. A run gives the same bits again only with the same kernels, so what
// was found once stays until the site's data is cleared, the driver changes its name or the kernels their version.
import type { Store, TuningRecord } from './database.ts'
import { guarded } from './quota.ts'

/** What was saved for the adapter; the caller checks it. Throws E_STORAGE. */
export async function loadTuning(
  store: Store,
  adapter: string,
): Promise<TuningRecord['choices'] | undefined> {
  return (await guarded(() => store.main.tuning.get(adapter)))?.choices
}

/** Throws E_STORAGE. */
export async function saveTuning(
  store: Store,
  adapter: string,
  choices: TuningRecord['choices'],
): Promise<void> {
  await guarded(() => store.main.tuning.put({ adapter, choices }))
}
