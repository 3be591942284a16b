// Every explanation by name: what it is asked and what it answers. The engine worker has a function for each, and
// `graft.explain` has a method of the same name: `graft.explain.saliency(target, request, { signal, onProgress })`.
import type { CallOptions } from '../progress.ts'
import type { Target } from '../target.ts'
import type { AnchorsRequest, AnchorsResult } from './anchors.ts'
import type { LimeRequest, LimeResult, ShapRequest, ShapResult } from './attribution.ts'
import type {
  AblationRequest,
  AblationResult,
  AttentionRequest,
  AttentionResult,
  HeadsResult,
  RolloutRequest,
  RolloutResult,
} from './attention.ts'
import type { ExplainInput } from './common.ts'
import type { CounterfactualRequest, CounterfactualResult } from './counterfactual.ts'
import type {
  ImportanceRequest,
  ImportanceResult,
  MistakesRequest,
  MistakesResult,
  RulesRequest,
  RulesResult,
} from './dataset.ts'
import type { FaithfulnessRequest, FaithfulnessResult } from './faithfulness.ts'
import type { CartographyRequest, CartographyResult, InfluenceRequest, InfluenceResult } from './influence.ts'
import type { FilmAsk, FilmResult } from './film.ts'
import type {
  LayersRequest,
  LayersResult,
  LogitLensRequest,
  LogitLensResult,
  ProbeRequest,
  ProbeResult,
  SimilarityRequest,
  SimilarityResult,
} from './layers.ts'
import type { SaliencyRequest, SaliencyResult } from './saliency.ts'
import type { AgreementRequest, AgreementResult, StabilityRequest, StabilityResult } from './trust.ts'

/** request -> result */
export interface ExplainMethods {
  attention: (request: AttentionRequest) => AttentionResult
  rollout: (request: RolloutRequest) => RolloutResult
  heads: (request: ExplainInput) => HeadsResult
  ablation: (request: AblationRequest) => AblationResult
  saliency: (request: SaliencyRequest) => SaliencyResult
  lime: (request: LimeRequest) => LimeResult
  shap: (request: ShapRequest) => ShapResult
  faithfulness: (request: FaithfulnessRequest) => FaithfulnessResult
  stability: (request: StabilityRequest) => StabilityResult
  agreement: (request: AgreementRequest) => AgreementResult
  anchors: (request: AnchorsRequest) => AnchorsResult
  counterfactual: (request: CounterfactualRequest) => CounterfactualResult
  logitLens: (request: LogitLensRequest) => LogitLensResult
  layers: (request: LayersRequest) => LayersResult
  similarity: (request: SimilarityRequest) => SimilarityResult
  probe: (request: ProbeRequest) => ProbeResult
  rules: (request: RulesRequest) => RulesResult
  importance: (request: ImportanceRequest) => ImportanceResult
  mistakes: (request: MistakesRequest) => MistakesResult
  influence: (request: InfluenceRequest) => InfluenceResult
  cartography: (request: CartographyRequest) => CartographyResult
  film: (request: FilmAsk) => FilmResult
}

export type ExplainMethod = keyof ExplainMethods
export type ExplainRequest<M extends ExplainMethod> = Parameters<ExplainMethods[M]>[0]
export type ExplainResult<M extends ExplainMethod> = ReturnType<ExplainMethods[M]>

/** The same as the names of the engine worker's calls. */
export type ExplainCalls = {
  [M in ExplainMethod as `explain.${M}`]: (args: {
    target: Target
    request: ExplainRequest<M>
  }) => ExplainResult<M>
}

/** The same as the page sees them. Call options may stand in the request, too. */
export type ExplainApi = {
  [M in ExplainMethod]: (
    target: Target,
    ...asked: Record<never, never> extends ExplainRequest<M>
      ? [request?: ExplainRequest<M> & CallOptions, options?: CallOptions]
      : [request: ExplainRequest<M> & CallOptions, options?: CallOptions]
  ) => Promise<ExplainResult<M>>
}

export const EXPLAIN_METHODS = [
  'attention',
  'rollout',
  'heads',
  'ablation',
  'saliency',
  'lime',
  'shap',
  'faithfulness',
  'stability',
  'agreement',
  'anchors',
  'counterfactual',
  'logitLens',
  'layers',
  'similarity',
  'probe',
  'rules',
  'importance',
  'mistakes',
  'influence',
  'cartography',
  'film',
] as const satisfies readonly ExplainMethod[]
/** Does not compile while a method is missing from the list. */
export const EVERY_METHOD_IS_LISTED: [Exclude<ExplainMethod, (typeof EXPLAIN_METHODS)[number]>] extends [
  never,
]
  ? true
  : never = true
