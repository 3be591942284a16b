// Float32 numbers in the types that checkpoints are written in, rounded to nearest, ties to even.
import { float32ToBfloat16 } from '../../formats/half.ts'
import { GraftError } from '../../protocol/errors.ts'
import { F16_OVERFLOW, halfBits } from '../ops/quantise/f16.ts'

export type FloatType = 'f32' | 'f16' | 'bf16'

export const FLOAT_BYTES: Record<FloatType, number> = { f32: 4, f16: 2, bf16: 2 }
/** By the names of safetensors and of PyTorch. */
export const FLOAT_NAMES = {
  f32: { safetensors: 'F32', torch: 'float32' },
  f16: { safetensors: 'F16', torch: 'float16' },
  bf16: { safetensors: 'BF16', torch: 'bfloat16' },
} as const

/** Little-endian bytes. Throws E_NON_FINITE, naming the tensor, where a value is none or has no half float. */
export function encodeFloats(values: Float32Array, type: FloatType, tensor: string): Uint8Array<ArrayBuffer> {
  const limit = type === 'f16' ? F16_OVERFLOW : Infinity
  for (let i = 0; i < values.length; i++)
    if (!(Math.abs(values[i]!) < limit)) throw tooLarge(values[i]!, tensor)
  switch (type) {
    case 'f32':
      return new Uint8Array(new Float32Array(values).buffer)
    case 'f16':
      return new Uint8Array(halves(values).buffer)
    case 'bf16':
      return new Uint8Array(float32ToBfloat16(values).buffer)
    default:
      return type satisfies never
  }
}

function halves(values: Float32Array): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) out[i] = halfBits(values[i]!)
  return out
}

function tooLarge(value: number, tensor: string): GraftError {
  return new GraftError(
    'E_NON_FINITE',
    Number.isFinite(value)
      ? `${tensor} holds ${value}, which is too large for a half float. Export as bf16 or f32.`
      : `${tensor} holds a value that is no number. Choose an earlier checkpoint.`,
    { tensor },
  )
}
