// Rotary position embedding tables (Su et al. 2021, arXiv 2104.09864), as transformers' modeling_rope_utils computes them.
import { tensor2d } from '@tensorflow/tfjs-core'
import type { RopeTable } from '../ops/ops.ts'

export interface RopeSettings {
  theta: number
  scaling: RopeScaling | null
}

/** How inverse frequencies are stretched for longer contexts. */
export type RopeScaling =
  | { type: 'linear'; factor: number }
  | {
      type: 'llama3'
      factor: number
      lowFrequencyFactor: number
      highFrequencyFactor: number
      originalContext: number
    }

/** theta^(-2i / hd), scaled: [hd / 2]. transformers holds them in float32. */
function inverseFrequencies(headSize: number, { theta, scaling }: RopeSettings): Float32Array {
  return Float32Array.from({ length: headSize / 2 }, (_, i) =>
    scaled(Math.fround(1 / theta ** ((2 * i) / headSize)), scaling),
  )
}

function scaled(frequency: number, scaling: RopeScaling | null): number {
  if (scaling === null) return frequency
  const { factor } = scaling
  if (scaling.type === 'linear') return frequency / factor
  // Llama 3.1: low frequencies are divided, high ones stay, those between are blended.
  const { lowFrequencyFactor: low, highFrequencyFactor: high, originalContext } = scaling
  const wavelength = (2 * Math.PI) / frequency
  if (wavelength > originalContext / low) return frequency / factor
  if (wavelength < originalContext / high) return frequency
  const smooth = (originalContext / wavelength - low) / (high - low)
  return ((1 - smooth) * frequency) / factor + smooth * frequency
}

/** Cosines and sines of position x inverse frequency: [positions, hd / 2] each. */
export function ropeTable(positions: number, headSize: number, settings: RopeSettings): RopeTable {
  const half = headSize / 2
  const cos = new Float32Array(positions * half)
  const sin = new Float32Array(positions * half)
  const frequencies = inverseFrequencies(headSize, settings)
  for (let i = 0; i < half; i++) {
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * frequencies[i]!)
      cos[position * half + i] = Math.cos(angle)
      sin[position * half + i] = Math.sin(angle)
    }
  }
  return { cos: tensor2d(cos, [positions, half]), sin: tensor2d(sin, [positions, half]) }
}
