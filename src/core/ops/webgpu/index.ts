// The ops on WebGPU: WGSL where there is a kernel, the reference on the same device where there is none yet.
import { dispose, type Tensor } from '@tensorflow/tfjs-core'
import type { Ops } from '../ops.ts'
import { referenceOps } from '../reference/index.ts'
import { activation, activationBackward, gated, gatedBackward } from './activation.ts'
import { globalNorm, optimizer, sumOfSquares } from './adamw.ts'
import { attention } from './attention.ts'
import { attentionBackward } from './attentionBackward.ts'
import { cachedAttention } from './cache.ts'
import { columnSums, scaleColumns } from './columns.ts'
import { dropout } from './dropout.ts'
import { add, part, scale } from './elementwise.ts'
import { embedding } from './embedding.ts'
import { fusedOps } from './fused.ts'
import { FlatGradientBuffer } from './gradients.ts'
import { crossEntropy, headCrossEntropy, headLoss } from './headCrossEntropy.ts'
import { layerNorm, layerNormBackward, layerNormWeightGradients } from './layerNorm.ts'
import { linear, linearBackward } from './linear.ts'
import { product } from './matmul.ts'
import { GpuRecorder } from './recorder.ts'
import { once } from './once.ts'
import { rmsNorm, rmsNormBackward, rmsNormWeightGradient } from './rmsNorm.ts'
import { rope } from './rope.ts'
import { embeddingGradient, gatherRows, scatterRows } from './rows.ts'
import { stepOps } from './step.ts'
import { currentTuner } from './tuning/tuner.ts'

export const webgpuOps: Ops = {
  ...referenceOps,
  name: 'webgpu',
  fused: fusedOps,
  step: stepOps,
  embedding,
  embeddingGradient,
  linear,
  linearBackward,
  rmsNorm,
  rmsNormBackward,
  rmsNormWeightGradient,
  layerNorm,
  layerNormBackward,
  layerNormWeightGradients,
  rope,
  attention,
  attentionBackward,
  cachedAttention,
  activation,
  activationBackward,
  gated,
  gatedBackward,
  dropout: (x, { rate, key }) => dropout(x, rate, key),
  scaleColumns,
  columnSums,
  add,
  scale,
  part,
  gatherRows,
  scatterRows,
  headCrossEntropy,
  headLoss,
  crossEntropy,
  sumOfSquares,
  matmul,
  rehearse: async (work, signal) => currentTuner()?.rehearse(() => dispose(work()), signal),
  gradientBuffer: (slots, size) => new FlatGradientBuffer(slots, size),
  globalNorm,
  optimizer,
  once,
  recorder: () => new GpuRecorder(),
}

function matmul(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
  // Both transposed is no training product: it has no kernel.
  if (transposeA && transposeB) return referenceOps.matmul(a, b, transposeA, transposeB)
  const [m, k] = (transposeA ? [a.shape[1], a.shape[0]] : a.shape) as [number, number]
  const n = transposeB ? b.shape[0]! : b.shape[1]!
  return product({ a, b, orientation: transposeA ? 'TN' : transposeB ? 'NT' : 'NN', m, n, k })
}
