// What stands around the figures of a view, for their files: the view says it once, every ChartFrame inside adds it.
import { getContext, setContext } from 'svelte'
import type { FigureContext } from '../charts/figure/about.ts'

const KEY = Symbol('figure')

/** Asked when a figure is exported. A context inside another one adds to it. */
export function setFigureContext(context: () => FigureContext): void {
  const outer = getFigureContext()
  setContext(KEY, () => ({ ...outer(), ...context() }))
}

export function getFigureContext(): () => FigureContext {
  return getContext<(() => FigureContext) | undefined>(KEY) ?? (() => ({}))
}
