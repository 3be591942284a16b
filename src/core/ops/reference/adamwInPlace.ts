// AdamW where the tensors lie in memory that JavaScript can reach: one loop over the state in place, without the dozens of
// temporary arrays that a chain of tf ops makes, each as large as everything that is trained. Same order as adamw.ts.
import { backend as currentBackend, getBackend, type Tensor } from '@tensorflow/tfjs-core'
import type { AdamwHyper, Slot } from '../ops.ts'
import { slotRuns } from '../slots.ts'
import { addressOf, wasmBackend } from './wasmHeap.ts'

/** The part of tfjs-backend-cpu 4.22 that holds the values. */
interface CpuBackend {
  data: { get(dataId: object): { values: Float32Array } }
}

/** The elements of a float32 tensor, to be read and written; null where they are on a device. Valid until the next op. */
export function elements(tensor: Tensor): Float32Array | null {
  switch (getBackend()) {
    case 'wasm': {
      const backend = wasmBackend()
      return new Float32Array(backend.wasm.HEAPU8.buffer, addressOf(backend, tensor.dataId), tensor.size)
    }
    case 'cpu':
      return (currentBackend() as unknown as CpuBackend).data.get(tensor.dataId).values
    default:
      return null
  }
}

/** state [3 P] = values, first and second moments; gradient [P]; where the norm is not finite nothing changes. */
export function stepInPlace(
  state: Float32Array,
  gradient: Float32Array,
  norm: number,
  slots: readonly Slot[],
  { learningRate, beta1, beta2, epsilon, weightDecay, clip, step }: AdamwHyper,
): void {
  if (!Number.isFinite(norm)) return
  const size = gradient.length
  const factor = clip > 0 ? Math.min(1, clip / (norm + 1e-6)) : 1
  const first = 1 / (1 - beta1 ** step)
  const second = 1 / Math.sqrt(1 - beta2 ** step)
  const runs = slotRuns(slots)
  runs.forEach(({ start, decay, rate }, i) => {
    const end = runs[i + 1]?.start ?? size
    const shrink = decay ? 1 - learningRate * rate * weightDecay : 1
    const move = learningRate * rate * first
    for (let at = start; at < end; at++) {
      const g = gradient[at]! * factor
      const m = beta1 * state[size + at]! + (1 - beta1) * g
      const v = beta2 * state[2 * size + at]! + (1 - beta2) * g * g
      state[size + at] = m
      state[2 * size + at] = v
      state[at] = state[at]! * shrink - (move * m) / (Math.sqrt(v) * second + epsilon)
    }
  })
}
