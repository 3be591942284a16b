// Every method of `graft.explain` and the function behind it.
import type { ExplainMethod } from '../../../src/protocol/explain.ts'
import { anchors } from './anchors.ts'
import { ablation } from './ablation.ts'
import { attention, heads, rollout } from './attention.ts'
import type { Explainer } from './desk.ts'
import { guarded } from './guard.ts'
import { lime } from './lime.ts'
import { counterfactual } from './counterfactual.ts'
import { faithfulness } from './faithfulness.ts'
import { saliency } from './saliency.ts'
import { shap } from './shap.ts'
import { layers } from './layers.ts'
import { logitLens } from './logitLens.ts'
import { probe } from './probe.ts'
import { similarity } from './similarity.ts'

export const EXPLAINERS: { [M in ExplainMethod]: Explainer<M> } = guarded({
  attention,
  rollout,
  heads,
  ablation,
  saliency,
  lime,
  shap,
  faithfulness,
  anchors,
  counterfactual,
  logitLens,
  layers,
  similarity,
  probe,
})
