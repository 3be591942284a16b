// What a decoder is, family by family: numbers and names, no code. A family turns its config.json into this.
import type { TargetName } from '../nn/block.ts'

export interface Architecture {
  family: string
  /** d */
  hidden: number
  /** Width of the MLP. */
  intermediate: number
  layers: number
  /** H and Hkv */
  heads: number
  keyValueHeads: number
  /** hd */
  headSize: number
  vocab: number
  /** Longest sequence in tokens. */
  context: number
  normEpsilon: number
  ropeTheta: number
  /** The output head is the embedding table. */
  tiedHead: boolean
  padId: number | null
  eosIds: number[]
}

/** Names of a family's modules and tensors in its checkpoints; PEFT's keys are built from the module paths. */
export interface TensorNames {
  embedding: string
  finalNorm: string
  head: string
  /** Norm weights of a layer: before attention and before the MLP. */
  attentionNorm(layer: number): string
  mlpNorm(layer: number): string
  /** Module path of a linear layer; its weight is `${path}.weight`. */
  linear(layer: number, target: TargetName): string
}

export interface Family {
  /** `model_type` of config.json. */
  modelType: string
  names: TensorNames
  /** Throws E_MODEL_UNSUPPORTED naming the field where the maths would differ from ours. */
  parseConfig(config: Record<string, unknown>): Architecture
}

/** Number of weights of an architecture. */
export function countParameters(a: Architecture): number {
  const queries = a.heads * a.headSize
  const keys = a.keyValueHeads * a.headSize
  const layer = a.hidden * (2 * queries + 2 * keys + 3 * a.intermediate + 2)
  return a.layers * layer + a.hidden + a.vocab * a.hidden * (a.tiedHead ? 1 : 2)
}
