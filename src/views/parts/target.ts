// Helpers about targets that several views share.
import type { App } from '../../state/app.svelte.ts'
import type { Target } from '../../protocol/target.ts'

export function targetKey(target: Target): string {
  return 'run' in target ? `run:${target.run}` : `model:${target.model}`
}

/** What a view opens with: the last run that can be used, else a loaded base. */
export function startTarget(app: App): Target | null {
  const run = app.runs.current
  if (run) return { run: run.id }
  const model = app.models.ready
  return model ? { model: model.id } : null
}

/** The model behind a run must be in memory before the run can be asked. */
export function baseOf(app: App, target: Target) {
  const id = 'run' in target ? app.runs.get(target.run)?.info.config.model : target.model
  return app.models.get(id ?? null)
}
