// Targets as several views speak of them: what is behind one, what it is called, what it can do.
import { short } from '../../charts/format.ts'
import type { App } from '../../state/app.svelte.ts'
import type { Task } from '../../protocol/data.ts'
import type { AdapterInfo, ModelInfo } from '../../protocol/model.ts'
import type { Target } from '../../protocol/target.ts'
import type { RunState } from '../../state/runs.svelte.ts'

export interface Asked {
  target: Target
  /** "support (tuned)", "SmolLM2-135M". */
  name: string
  run: RunState | undefined
  adapter: AdapterInfo | undefined
  /** Id and name of the base, and the base itself while it is in this browser. */
  baseId: string
  baseName: string
  base: ModelInfo | undefined
  /** Something stands beside the base: it can be weakened, and compared with the base. */
  tuned: boolean
  /** What it was trained for; null for a base, and for an adapter that only says that it writes. */
  task: Task | null
  /** Answers with labels, not with text. */
  classify: boolean
  labels: string[] | null
  /** Can write text. */
  writes: boolean
}

/** Which thing is asked, whatever its strength. */
export function targetKey(target: Target): string {
  if ('run' in target) return `run:${target.run}`
  return target.adapter === undefined ? `model:${target.model}` : `adapter:${target.adapter}`
}

/** The same with its strength: answers belong to this. */
export function targetStamp(target: Target): string {
  return `${targetKey(target)} ${target.strength ?? 1}`
}

/** The same target at another strength; 1 is not said. */
export function atStrength(target: Target, strength: number): Target {
  const { strength: _old, ...rest } = target
  return strength === 1 ? rest : { ...rest, strength }
}

/** What a view opens with: what was last asked, else the last run that can be used, else a base. */
export function startTarget(app: App): Target | null {
  if (app.asked && describe(app, app.asked)) return app.asked
  const run = app.runs.current
  if (run) return { run: run.id }
  const model = app.models.ready
  return model ? { model: model.id } : null
}

/** Everything that views ask about a target; null when what it names has been removed. */
export function describe(app: App, target: Target): Asked | null {
  const run = 'run' in target ? app.runs.get(target.run) : undefined
  const adapter = 'model' in target ? app.adapters.get(target.adapter) : undefined
  if ('run' in target ? !run?.usable : target.adapter !== undefined && !adapter) return null
  const baseId = 'run' in target ? run!.info.config.model : target.model
  const base = app.models.get(baseId)
  if (!run && !base) return null
  const classify = run ? run.info.config.task === 'classify' : adapter?.task === 'classify'
  const baseName = base?.name ?? run?.info.modelName ?? baseId
  return {
    target,
    name: run?.info.config.name ?? adapter?.name ?? baseName,
    run,
    adapter,
    baseId,
    baseName,
    base,
    tuned: run !== undefined || adapter !== undefined,
    task: run?.info.config.task ?? (classify ? 'classify' : null),
    classify,
    labels: run?.info.labels ?? adapter?.labels ?? null,
    writes: !classify && base?.kind !== 'encoder',
  }
}

/** A base in a list to choose from: its name, and what tells it from others of the same name. */
export function baseLabel(app: Pick<App, 'models'>, model: ModelInfo): string {
  const alone = app.models.items.every((other) => other === model || other.name !== model.name)
  return alone ? model.name : `${model.name}, ${model.family}, ${short(model.parameters)} parameters`
}

/** What stands for a hidden word in the text of an encoder. */
export function maskOf(base: Pick<ModelInfo, 'family'>): string {
  return base.family === 'roberta' ? '<mask>' : '[MASK]'
}
