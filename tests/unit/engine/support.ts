// The engine's parts wired as in the worker, over an IndexedDB in memory, on the wasm backend.
import 'fake-indexeddb/auto'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import { vi } from 'vitest'
import { startBackend } from '../../../src/core/backend/register.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { Turns } from '../../../src/core/turns.ts'
import type { TaskConfig } from '../../../src/protocol/data.ts'
import type { CallContext, Progress } from '../../../src/protocol/progress.ts'
import type { RecipeStep } from '../../../src/protocol/recipe.ts'
import type { RunEvent } from '../../../src/protocol/run.ts'
import { openStore } from '../../../src/store/database.ts'
import { dataCalls } from '../../../workers/dataCalls.ts'
import { AdapterLibrary } from '../../../workers/engine/adapters.ts'
import { Ask } from '../../../workers/engine/ask.ts'
import type { Desk } from '../../../workers/engine/explain/desk.ts'
import { Exporter } from '../../../workers/engine/export.ts'
import { ModelLibrary } from '../../../workers/engine/models.ts'
import { Planner } from '../../../workers/engine/plan.ts'
import { RunManager } from '../../../workers/engine/runs.ts'
import { Targets } from '../../../workers/engine/targets.ts'

const wasmPaths = fileURLToPath(
  new URL('../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
)

export const context = (): CallContext & { reports: Progress[] } => {
  const reports: Progress[] = []
  return { signal: new AbortController().signal, progress: (progress) => reports.push(progress), reports }
}

let count = 0

/** An engine with nothing in it. */
export async function engine() {
  // Bases that come with the site: there are none here.
  vi.stubGlobal('self', { location: { origin: 'https://graft.test' } })
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('{"models":[]}')))
  await startBackend('wasm', {
    wasmPaths,
    onFault: (error) => {
      throw error
    },
  })
  const store = await openStore({ name: `engine-test-${count++}` })
  const turns = new Turns()
  const models = new ModelLibrary(store, () => opsFor('wasm'))
  let changes = 0
  let listen: (event: RunEvent) => void = () => undefined
  const adapters = new AdapterLibrary(store, models, () => void changes++)
  const runs = new RunManager({
    store,
    models,
    adapters,
    turns,
    backend: () => 'wasm',
    ready: () => Promise.resolve(),
    emit: (event) => listen(event),
    emitFault: (error) => {
      throw error
    },
    emitRemoved: () => undefined,
  })
  const targets = new Targets(store, models, runs, adapters)
  const data = dataCalls(
    () => undefined,
    () => Promise.resolve(store),
  )
  return {
    store,
    turns,
    models,
    adapters,
    runs,
    targets,
    ask: new Ask({ store, models, targets, turns }),
    desk: { store, models, targets, turns } satisfies Desk,
    exporter: new Exporter({ store, targets, turns }),
    planner: new Planner(store, models, runs, turns, () => 'wasm'),
    /** How often the list of adapters has changed. */
    changes: () => changes,
    async dataset(csv: string, config: TaskConfig) {
      const { id } = await data.importFile({ file: new File([csv], 'rows.csv'), options: {} }, context())
      await data.configure({ id, config }, context())
      return data.split({ id, config: { train: 1, validation: 0, test: 0, seed: 1 } }, context())
    },
    apply: (id: string, recipe: RecipeStep[]) => data.applyRecipe({ id, recipe }, context()),
    listen: (listener: (event: RunEvent) => void) => void (listen = listener),
    tensors: () => tf.memory().numTensors,
    close() {
      targets.clear()
      models.unloadAll()
      store.close()
      vi.unstubAllGlobals()
    },
  }
}

export type Engine = Awaited<ReturnType<typeof engine>>

/** The files of a folder as a zip. */
export async function folderAs(folder: string, files: File[]): Promise<File[]> {
  return files.map((file) => {
    const placed = new File([file], file.name)
    Object.defineProperty(placed, 'webkitRelativePath', { value: `${folder}/${file.name}` })
    return placed
  })
}
