// What JavaScript takes for a step: the time that Steps.run holds the thread. With one micro-batch a step it waits for
// nothing, so the time between its call and its promise is its own, whatever the GPU does meanwhile.
import { Steps } from '../src/core/train/steps.ts'
import { median } from './statistics.ts'

let times: number[] = []
let installed = false

/** Forgets what was seen, and watches from here on. */
export function watchHost(): void {
  times = []
  if (installed) return
  installed = true
  const { run } = Steps.prototype
  Steps.prototype.run = async function (...args) {
    const start = performance.now()
    await run.apply(this, args)
    times.push((performance.now() - start) / 1000)
  }
}

/** Median of the steps since `watchHost`. */
export const hostSeconds = (): number => median(times)
