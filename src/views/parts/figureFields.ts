// What files of figures say about the model that was asked: enough to ask it again.
import type { FigureContext } from '../../charts/figure/about.ts'
import type { ModelInfo } from '../../protocol/model.ts'
import type { Run } from '../../protocol/run.ts'
import type { Target } from '../../protocol/target.ts'
import type { Asked } from './target.ts'

type RunInfo = Omit<Run, 'history'>

/** `asked` may be what a question remembers of its target. */
export function targetFields(
  target: Target,
  asked: Pick<Asked, 'name' | 'baseName' | 'base'> & { run: { info: RunInfo } | undefined },
): FigureContext {
  const { base, run } = asked
  const info = run?.info
  const id = 'model' in target ? target.model : info?.config.model
  return {
    model: modelFields(base) ?? { id, name: asked.baseName },
    ...(info && {
      run: runFields(info, 'run' in target ? target.checkpoint : undefined),
      adapter: { run: info.id, name: info.config.name, ...settingsOf(info) },
    }),
    ...('adapter' in target &&
      target.adapter !== undefined && { adapter: { id: target.adapter, name: asked.name } }),
    strength: target.strength ?? 1,
  }
}

/** What kind of adapter a run has trained. */
function settingsOf({ config: { adapter } }: RunInfo): FigureContext {
  const { method, r, alpha } = adapter
  return method === 'lora' ? { method, r, alpha } : { method }
}

/** The commit of a base from the Hub is in its source: it names every byte of the files. */
function modelFields(base: ModelInfo | undefined): FigureContext | undefined {
  if (!base) return undefined
  const { id, name, family, precision, parameters, source } = base
  return { id, name, family, precision, parameters, source }
}

export function runFields(
  { id, config, step, datasetName, dataKey, backend }: RunInfo,
  checkpoint?: string,
): FigureContext {
  return {
    id,
    name: config.name,
    step,
    ...(checkpoint !== undefined && { checkpoint }),
    seed: config.training.seed,
    dataset: { id: config.dataset, name: datasetName, key: dataKey },
    backend,
  }
}
