// Gated linear units (Shazeer 2020, arXiv 2002.05202): h = act(gate) up; SwiGLU, GeGLU.
// Backward: dGate = dh up act'(gate); dUp = dh act(gate).
import { mul, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { Activation } from '../ops.ts'
import { activation, gateKernel, gateKernelBackward, withSlope } from './activation.ts'

export function gated(act: Activation, gate: Tensor, up: Tensor): Tensor {
  return gateKernel(act, gate, up) ?? tidy(() => mul(activation(act, gate), up))
}

export function gatedBackward(
  act: Activation,
  dh: Tensor,
  gate: Tensor,
  up: Tensor,
): { dGate: Tensor; dUp: Tensor } {
  const made = gateKernelBackward(act, dh, gate, up)
  if (made) return { dGate: made[0]!, dUp: made[1]! }
  return tidy(() => {
    const { y, dy } = withSlope(act, gate)
    return { dGate: mul(mul(dh, up), dy), dUp: mul(dh, y) }
  })
}
