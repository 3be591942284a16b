// Attention as numbers.

export interface AttentionResult {
  tokens: string[]
  ids: number[]
  layers: number
  heads: number
  /** [L, H, T, T]: probability with which token i (third axis) looks at token j (fourth axis). */
  weights: Float32Array
}
