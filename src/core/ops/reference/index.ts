// The reference implementation of every op in plain tf ops: it runs on cpu, wasm and webgpu, trains where there is
// no GPU, and is what the WGSL kernels are tested against.
import { add, mul, square, sum, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { now } from '../changing.ts'
import type { Ops } from '../ops.ts'
import { activation, activationBackward } from './activation.ts'
import { adamw, globalNorm } from './adamw.ts'
import { attention, attentionBackward, attentionProbabilities } from './attention.ts'
import { cachedAttention } from './cachedAttention.ts'
import { columnSums, scaleColumns } from './columns.ts'
import { crossEntropy, headCrossEntropy, headLoss } from './crossEntropy.ts'
import { dropout } from './dropout.ts'
import { embedding } from './embedding.ts'
import { gated, gatedBackward } from './gated.ts'
import { ReferenceGradientBuffer } from './gradients.ts'
import { layerNorm, layerNormBackward, layerNormWeightGradients } from './layerNorm.ts'
import { linear, linearBackward } from './linear.ts'
import { product } from './matmul.ts'
import { rmsNorm, rmsNormBackward, rmsNormWeightGradient } from './rmsNorm.ts'
import { rope } from './rope.ts'
import { embeddingGradient, gatherRows, part, scatterRows } from './rows.ts'

export const referenceOps: Ops = {
  name: 'reference',
  embedding,
  embeddingGradient,
  linear,
  linearBackward,
  rmsNorm,
  rmsNormBackward,
  rmsNormWeightGradient,
  layerNorm: (x, w, b, eps, plus) => withPlus(plus, () => layerNorm(x, w, b, eps)),
  layerNormBackward: (dy, x, w, eps, plus) => withPlus(plus, () => layerNormBackward(dy, x, w, eps)),
  layerNormWeightGradients,
  rope,
  attention,
  attentionBackward,
  cachedAttention,
  attentionProbabilities,
  activation,
  activationBackward,
  gated,
  gatedBackward,
  add: (a, b) => tidy(() => add(a, b)),
  scale: (x, factor) => tidy(() => mul(x, factor)),
  dropout,
  scaleColumns,
  columnSums,
  part,
  gatherRows,
  scatterRows,
  headCrossEntropy: (h, w, labels, factor, ...more) => headCrossEntropy(h, w, labels, now(factor), ...more),
  headLoss: (h, w, labels, factor) => headLoss(h, w, labels, now(factor)),
  crossEntropy: (logits, labels, factor, options) => crossEntropy(logits, labels, now(factor), options),
  matmul: (a, b, transposeA, transposeB) => product(a, b, transposeA, transposeB),
  gradientBuffer: (slots, size) => new ReferenceGradientBuffer(slots, size),
  globalNorm,
  sumOfSquares: (x) => tidy(() => sum(square(x))),
  optimizer: (slots) => ({
    step: (state, gradient, norm, hyper) => adamw(state, gradient, norm, slots, hyper),
    dispose: () => undefined,
  }),
  once: (work) => work(),
}

function withPlus(plus: Tensor | undefined, make: () => Tensor): Tensor {
  const made = make()
  if (!plus) return made
  const sum = add(made, plus)
  made.dispose()
  return sum
}
