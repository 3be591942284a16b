// Every method of `graft.explain` and the function behind it.
import type { ExplainMethod } from '../../../src/protocol/explain.ts'
import { ablation } from './ablation.ts'
import { attention, heads, rollout } from './attention.ts'
import type { Explainer } from './desk.ts'
import { saliency } from './saliency.ts'

export const EXPLAINERS: { [M in ExplainMethod]: Explainer<M> } = {
  attention,
  rollout,
  heads,
  ablation,
  saliency,
}
