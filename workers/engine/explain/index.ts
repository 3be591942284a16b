// Every method of `graft.explain` and the function behind it.
import type { ExplainMethod } from '../../../src/protocol/explain.ts'
import { agreement } from './agreement.ts'
import { anchors } from './anchors.ts'
import { ablation } from './ablation.ts'
import { attention, heads, rollout } from './attention.ts'
import type { Explainer } from './desk.ts'
import { guarded } from './guard.ts'
import { lime } from './lime.ts'
import { cartography } from './cartography.ts'
import { counterfactual } from './counterfactual.ts'
import { faithfulness } from './faithfulness.ts'
import { saliency } from './saliency.ts'
import { shap } from './shap.ts'
import { influence } from './influence.ts'
import { layers } from './layers.ts'
import { logitLens } from './logitLens.ts'
import { film } from './film.ts'
import { probe } from './probe.ts'
import { similarity } from './similarity.ts'
import { importance } from './importance.ts'
import { mistakes } from './mistakes.ts'
import { rules } from './rules.ts'
import { stability } from './stability.ts'

export const EXPLAINERS: { [M in ExplainMethod]: Explainer<M> } = guarded({
  attention,
  rollout,
  heads,
  ablation,
  saliency,
  lime,
  shap,
  faithfulness,
  stability,
  agreement,
  anchors,
  counterfactual,
  logitLens,
  layers,
  similarity,
  probe,
  rules,
  importance,
  mistakes,
  influence,
  cartography,
  film,
})
