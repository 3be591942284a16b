// SwiGLU (Shazeer 2020, arXiv 2002.05202): h = silu(gate) up.
// Backward: dGate = dh up sig (1 + gate (1 - sig)); dUp = dh silu(gate).
import { add, mul, sigmoid, sub, tidy, type Tensor } from '@tensorflow/tfjs-core'

export function swiglu(gate: Tensor, up: Tensor): Tensor {
  return tidy(() => mul(mul(gate, sigmoid(gate)), up))
}

export function swigluBackward(dh: Tensor, gate: Tensor, up: Tensor): { dGate: Tensor; dUp: Tensor } {
  return tidy(() => {
    const sig = sigmoid(gate)
    const silu = mul(gate, sig)
    // sig (1 + gate (1 - sig)) = sig + silu - silu sig
    const slope = add(sig, sub(silu, mul(silu, sig)))
    return { dGate: mul(mul(dh, up), slope), dUp: mul(dh, silu) }
  })
}
