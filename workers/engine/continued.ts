// A run that goes on from a finished adapter, imported or of an earlier run: its weights, its settings, its classes.
import { GraftError } from '../../src/protocol/errors.ts'
import { givenAdapter } from '../../src/protocol/adapterSettings.ts'
import type { AdapterConfig } from '../../src/protocol/run.ts'
import type { TensorToWrite } from '../../src/formats/safetensors.ts'
import { findAdapter } from '../../src/store/adapters.ts'
import { readCheckpoint } from '../../src/store/checkpoints.ts'
import type { Store } from '../../src/store/database.ts'
import { getRun } from '../../src/store/runs.ts'
import { unnamed, type AdapterLibrary } from './adapters.ts'
import { loadSnapshot, stateTensors } from './checkpoint.ts'
import type { LoadedModel } from './models.ts'

/** What training goes on from. */
export interface Beginning {
  name: string
  config: AdapterConfig
  labels: string[] | null
  tensors(): Promise<TensorToWrite[]>
}

/** Settings of the training alone: another value changes nothing about what the weights mean. */
const FREE: readonly (keyof AdapterConfig)[] = ['dropout', 'loraPlusRatio']

/** `id`: of an imported adapter, or of a run with a checkpoint. Throws E_NOT_FOUND, E_ARGUMENT where it is for another base. */
export async function beginningOf(
  id: string,
  base: LoadedModel,
  { store, adapters }: { store: Store; adapters: AdapterLibrary },
): Promise<Beginning> {
  if (await findAdapter(store, id)) {
    const { info, config } = await adapters.describe(id, base)
    const tensors = async () => (await adapters.read(id, base)).tensors
    return { name: info.name, config, labels: info.labels, tensors }
  }
  const run = await getRun(store, id).catch((error: unknown) => {
    if (!(error instanceof GraftError && error.code === 'E_NOT_FOUND')) throw error
    throw new GraftError(
      'E_NOT_FOUND',
      `adapter.from names ${id}, and there is no adapter or run of that id.`,
      { id },
    )
  })
  const { name, model, adapter } = run.config
  if (model !== base.info.id)
    throw new GraftError(
      'E_ARGUMENT',
      `The run ${name} trained the base ${run.modelName}, not ${base.info.name}. Go on with the same base.`,
      { model, asked: base.info.id },
    )
  const last = run.checkpoints.at(-1)
  if (!last)
    throw new GraftError('E_NOT_FOUND', `The run ${name} has no checkpoint to go on from yet.`, { id })
  return {
    name,
    config: adapter,
    labels: run.labels,
    async tensors() {
      const { state, shapes } = loadSnapshot(await readCheckpoint(store, id, last.id))
      return stateTensors(state.parameters, shapes)
    },
  }
}

/** The adapter's own settings, with what a request may change. Throws E_ARGUMENT naming what it may not. */
export function continuedConfig({ name, config }: Beginning, request: Partial<AdapterConfig>): AdapterConfig {
  const given = givenAdapter(request)
  for (const [key, value] of Object.entries(given)) {
    const own = config[key as keyof AdapterConfig]
    if (FREE.includes(key as keyof AdapterConfig) || JSON.stringify(value) === JSON.stringify(own)) continue
    throw new GraftError(
      'E_ARGUMENT',
      `${name} was made with adapter.${key} ${JSON.stringify(own)}, so it cannot be trained further with ${JSON.stringify(value)}. Leave the setting out.`,
      { setting: key },
    )
  }
  return { ...config, ...given }
}

/** The labels of the run, in the order of the adapter's classes. Throws E_ARGUMENT where they are not those of the data. */
export function continuedLabels({ name, labels: own }: Beginning, labels: string[] | null): string[] | null {
  if ((own === null) !== (labels === null))
    throw new GraftError(
      'E_ARGUMENT',
      own === null
        ? `${name} writes text; it cannot be trained further to classify.`
        : `${name} is a classifier; it can be trained further only on a classify task.`,
    )
  if (own === null || labels === null) return labels
  const same = own.length === labels.length
  // Classes that nobody has named are taken in the order of the data's labels.
  if (same && unnamed(own)) return labels
  if (same && labels.every((label) => own.includes(label))) return own
  throw new GraftError(
    'E_ARGUMENT',
    `${name} has the classes ${own.join(', ')}, and the data ${labels.join(', ')}. They have to be the same.`,
    { classes: own, labels },
  )
}
