// The commands of the palette: what they are called, their key, and what they do.
import type { App } from '../../state/app.svelte.ts'
import { PLACES } from './places.ts'

export interface Command {
  id: string
  name: string
  /** As shown and as matched: "g d" is g, then d. */
  keys?: string
  run: () => void
}

export function commandsOf(app: App): Command[] {
  const { active } = app.runs
  const go: Command[] = PLACES.map(({ view, name, key }) => ({
    id: `go-${view}`,
    name: `Go to ${name}`,
    keys: `g ${key}`,
    run: () => app.router.go(view),
  }))
  const running: Command[] = active
    ? [
        active.info.status === 'paused'
          ? { id: 'resume', name: 'Resume training', keys: 'r r', run: () => void app.runs.resume(active.id) }
          : { id: 'pause', name: 'Pause training', keys: 'r p', run: () => void app.runs.pause(active.id) },
        { id: 'stop', name: 'Stop training', run: () => void app.runs.stop(active.id) },
      ]
    : []
  const opened: Command[] = [
    ...app.datasets.items.map((dataset) => ({
      id: dataset.id,
      name: `Open dataset ${dataset.name}`,
      run: () => app.router.go('data', dataset.id),
    })),
    ...app.adapters.items.map((adapter) => ({
      id: adapter.id,
      name: `Try adapter ${adapter.name}`,
      run: () => {
        app.asked = { model: adapter.model, adapter: adapter.id }
        app.router.go('generate')
      },
    })),
    ...app.runs.items.map((run) => ({
      id: run.id,
      name: `Open run ${run.info.config.name}`,
      run: () => app.router.go('train', run.id),
    })),
  ]
  const themes: Command[] = (['auto', 'light', 'dark'] as const).map((theme) => ({
    id: `theme-${theme}`,
    name: theme === 'auto' ? 'Theme of the system' : `${theme === 'light' ? 'Light' : 'Dark'} theme`,
    run: () => (app.selection.theme = theme),
  }))
  return [...go, ...running, ...opened, ...themes]
}
