// Learning-rate schedules, as transformers' optimization.py defines them: a factor for optimizer step k, from 0.
import type { ScheduleName } from '../../protocol/run.ts'

/** Steps of warm-up: a share of all steps below 1, a number of steps from 1 on. */
export function warmupSteps(warmup: number, steps: number): number {
  return warmup < 1 ? Math.ceil(warmup * steps) : Math.min(Math.round(warmup), steps)
}

/** Factor on the learning rate at step k (0-based) of `steps`. */
export function scheduleFactor(schedule: ScheduleName, k: number, steps: number, warmup: number): number {
  if (k < warmup) return k / Math.max(1, warmup)
  const progress = (k - warmup) / Math.max(1, steps - warmup)
  switch (schedule) {
    case 'linear':
      return Math.max(0, 1 - progress)
    case 'cosine':
      return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)))
    case 'constant':
      return 1
    default:
      return schedule satisfies never
  }
}
