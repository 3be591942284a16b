// Every method of `graft.explain` and the function behind it.
import type { ExplainMethod } from '../../../src/protocol/explain.ts'
import { attention } from './attention.ts'
import type { Explainer } from './desk.ts'
import { layers } from './layers.ts'
import { logitLens } from './logitLens.ts'
import { probe } from './probe.ts'
import { saliency } from './saliency.ts'
import { similarity } from './similarity.ts'

export const EXPLAINERS: { [M in ExplainMethod]: Explainer<M> } = {
  attention,
  saliency,
  logitLens,
  layers,
  similarity,
  probe,
}
