// The rows of a golden trajectory as a dataset: a language model's first three steps, over and over.
import type { Page } from 'playwright'
import { expect } from 'vitest'
import type { Run } from '../../../src/protocol/run.ts'
import type { CausalGolden, CausalMicro, Trajectory } from '../../golden/load.ts'
import { trainingRows, words } from './bases.ts'

const TRAJECTORY = 1e-3

/** Two micro-batches of two rows a step: three steps are an epoch of twelve rows, in which each row stands twice. */
export function trajectoryRows(page: Page, { trajectory }: CausalGolden): Promise<string> {
  const order = trajectory.order.slice(0, 3).flat()
  expect(order).toEqual([0, 1, 2, 0, 1, 2])
  const rows = order
    .map((at) => trajectory.micros[at]!)
    .flatMap(({ ids, labels }) => ids.map((row, i) => languageRow(row, labels[i]!)))
  expect(rows).toHaveLength(12)
  return trainingRows(page, rows, 'complete')
}

/** The words before the first label are the prompt; the end token is Graft's own. */
function languageRow(ids: readonly number[], labels: readonly number[]) {
  const first = Math.max(
    1,
    labels.findIndex((label) => label !== -100),
  )
  return { prompt: words(ids.slice(0, first)), completion: words(ids.slice(first, -1)) }
}

export const trajectoryTraining = ({ trajectory: { hyper } }: CausalGolden) => ({
  ...hyper,
  schedule: 'linear' as const,
  shuffle: false,
  batchSize: 2,
  accumulation: 2,
})

export function expectTrajectory(run: Run, golden: Trajectory<CausalMicro>): void {
  expect(run.error).toBeNull()
  expect(run.history).toHaveLength(run.steps)
  const near = (ours: number, theirs: number) => Math.abs(ours - theirs) / theirs
  for (const [i, entry] of run.history.entries()) {
    expect(near(entry.loss, golden.loss[i]!), `loss of step ${i + 1}`).toBeLessThan(TRAJECTORY)
    expect(near(entry.gradNorm, golden.gradNorm[i]!), `norm of step ${i + 1}`).toBeLessThan(TRAJECTORY)
  }
}
