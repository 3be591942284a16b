// Rotary position embedding tables (Su et al. 2021, arXiv 2104.09864), as transformers' modeling_rope_utils computes them.
import { tensor2d } from '@tensorflow/tfjs-core'
import type { RopeTable } from '../ops/ops.ts'

/** Cosines and sines of position x theta^(-2i / hd): [positions, hd / 2] each. */
export function ropeTable(positions: number, headSize: number, theta: number): RopeTable {
  const half = headSize / 2
  const cos = new Float32Array(positions * half)
  const sin = new Float32Array(positions * half)
  for (let i = 0; i < half; i++) {
    // transformers holds the inverse frequencies and their products with the position in float32.
    const frequency = Math.fround(1 / theta ** ((2 * i) / headSize))
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * frequency)
      cos[position * half + i] = Math.cos(angle)
      sin[position * half + i] = Math.sin(angle)
    }
  }
  return { cos: tensor2d(cos, [positions, half]), sin: tensor2d(sin, [positions, half]) }
}
