// How many weights a plan trains, without making them.
import type { AdapterConfig } from '../../protocol/run.ts'
import type { AdapterPlan } from './plan.ts'

export function countTrainable(plan: AdapterPlan, { useDora }: Pick<AdapterConfig, 'useDora'>): number {
  const beside = plan.layers.reduce(
    (sum, { shape: [out, inputs], r }) => sum + r * (out + inputs) + (useDora ? out : 0),
    0,
  )
  const whole = plan.saved.reduce(
    (sum, { shape }) => sum + shape.reduce((product, extent) => product * extent, 1),
    0,
  )
  return beside + whole
}
