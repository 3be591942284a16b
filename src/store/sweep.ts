// What a crash leaves behind, removed at boot: bytes, rows and history that nothing points at.
// Pointers are always written last, so whatever has none was never finished.
import type { Store } from './database.ts'
import { deleteBlob } from './chunks.ts'
import { keysOf, removeRowsFrom } from './datasets.ts'
import { KEEP_DOWNLOADS_MS } from './downloads.ts'
import { whileQuiet } from './locks.ts'
import { guarded } from './quota.ts'
import { removeRowFiles, sweepRowFiles } from './rowFiles.ts'

export interface Swept {
  blobs: number
  datasets: number
  runs: number
}

/** Sweeps, unless another tab or worker is writing just now: then it returns null and the next boot does it. */
export async function sweep(store: Store): Promise<Swept | null> {
  const swept = await whileQuiet(() => guarded(() => sweepNow(store)))
  return swept ?? null
}

async function sweepNow(store: Store): Promise<Swept> {
  const { main, ledger } = store
  const runs = new Set(await main.runs.toCollection().primaryKeys())

  // Checkpoints, history, row records and films of removed runs.
  const checkpoints = await ledger.checkpoints.toArray()
  const lost = checkpoints.filter((checkpoint) => !runs.has(checkpoint.run))
  await ledger.checkpoints.bulkDelete(
    lost.map((checkpoint): [string, string] => [checkpoint.run, checkpoint.id]),
  )
  const history = (await main.history.toCollection().primaryKeys()).filter(([run]) => !runs.has(run))
  await main.history.bulkDelete(history)
  const epochs = (await main.rowEpochs.toCollection().primaryKeys()).filter(([run]) => !runs.has(run))
  await main.rowEpochs.bulkDelete(epochs)

  const frames = await main.frames.toCollection().primaryKeys()
  await main.frames.bulkDelete(frames.filter(([run]) => !runs.has(run)))

  // Downloads that nobody went on with.
  const abandoned = Date.now() - KEEP_DOWNLOADS_MS
  await main.downloads.filter(({ touchedAt }) => !(touchedAt >= abandoned)).delete()

  // Bytes that neither a model, nor an adapter, nor a download, nor a checkpoint points at.
  const pointed = new Set(
    checkpoints.filter((checkpoint) => !lost.includes(checkpoint)).map(({ blob }) => blob),
  )
  await main.models.each((model) => model.files.forEach(({ blob }) => pointed.add(blob)))
  await main.adapters.each(({ blob }) => pointed.add(blob.blob))
  await main.downloads.each(({ blob }) => pointed.add(blob))
  const blobs = new Set((await main.chunks.toCollection().primaryKeys()).map(([blob]) => blob))
  const orphans = [...blobs].filter((blob) => !pointed.has(blob))
  for (const blob of orphans) await deleteBlob(store, blob)

  // Rows of imports and recipes that did not finish, or that another recipe replaced.
  const datasets = new Set(await main.datasets.toCollection().primaryKeys())
  const kept = new Set(datasets)
  await main.datasets.each(({ version }) => {
    for (const key of version ? keysOf(version) : []) kept.add(key)
  })
  const rows = (await main.rows.toCollection().primaryKeys()).filter(([dataset]) => !kept.has(dataset))
  await main.rows.bulkDelete(rows)
  // Rows of additions that did not finish.
  for (const { id, rows: count, version } of await main.datasets.toArray())
    await removeRowsFrom(store, id, version?.raw.rows ?? count)
  const files = await main.rowFiles.filter(({ dataset }) => !datasets.has(dataset)).toArray()
  await removeRowFiles(
    store,
    files.map(({ file }) => file),
  )
  await sweepRowFiles(store)
  const parts = (await main.parts.toCollection().primaryKeys()).filter((id) => !datasets.has(id))
  await main.parts.bulkDelete(parts)
  const recipes = (await main.recipes.toCollection().primaryKeys()).filter((id) => !datasets.has(id))
  await main.recipes.bulkDelete(recipes)

  const lostRuns = new Set([...history.map(([run]) => run), ...lost.map(({ run }) => run)])
  return {
    blobs: orphans.length,
    datasets: new Set([...rows.map(([dataset]) => dataset), ...files.map(({ dataset }) => dataset)]).size,
    runs: lostRuns.size,
  }
}
