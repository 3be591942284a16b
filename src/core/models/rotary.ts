// Rotary positions as config.json tells them: `rope_theta` and `rope_scaling` of older files, `rope_parameters` of
// newer ones. Scalings that are not computed here are refused by name.
import type { RopeScaling, RopeSettings } from '../nn/rope.ts'
import type { ConfigReader } from './config.ts'

export function readRope(read: ConfigReader, theta: number, context: number): RopeSettings {
  const parameters = read.within('rope_parameters')
  const base = read.positive('rope_theta', parameters?.positive('rope_theta', theta) ?? theta)
  const scaling = read.within('rope_scaling') ?? parameters
  return { theta: base, scaling: scaling && readScaling(scaling, context) }
}

/** One entry of `rope_parameters`, where those are given by kind of layer. */
export function readScaling(read: ConfigReader, context: number): RopeScaling | null {
  const type = read.choice('rope_type', read.choice('type', 'default', NAMES), NAMES)
  if (read.has('partial_rotary_factor')) read.refuseUnless('partial_rotary_factor', 1, 1)
  switch (type) {
    case 'default':
      return null
    case 'linear':
      return { type, factor: read.positive('factor', 1) }
    case 'llama3':
      return {
        type,
        factor: read.positive('factor', 8),
        lowFrequencyFactor: read.positive('low_freq_factor', 1),
        highFrequencyFactor: read.positive('high_freq_factor', 4),
        originalContext: read.positive('original_max_position_embeddings', context),
      }
    default:
      return type satisfies never
  }
}

const NAMES = { default: 'default', linear: 'linear', llama3: 'llama3' } as const
