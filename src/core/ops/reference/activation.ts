// Smooth steps, with their slopes written out.
// silu x sigmoid(x) (Elfwing et al. 2017, arXiv 1702.03118); gelu x Phi(x) and its tanh form (Hendrycks & Gimpel 2016,
// arXiv 1606.08415), which is x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3), since (1 + tanh u) / 2 is
// sigmoid(2 u): seven times as fast on wasm, whose tanh is a scalar loop, and the tail keeps its digits.
// tf.erf is Abramowitz & Stegun 7.1.26 on the cpu and webgpu backends: at most 1.5e-7 off.
import {
  add,
  cast,
  div,
  erf,
  greater,
  mul,
  relu,
  sigmoid,
  square,
  sub,
  tanh,
  tidy,
  type Tensor,
} from '@tensorflow/tfjs-core'
import type { Activation } from '../ops.ts'
import { expOfShifted } from './softmax.ts'
import { rowKernel } from './wasmRows.ts'

/** Of GELU's tanh form: 2 u = FACTOR x (1 + CUBE x^2). */
const FACTOR = 2 * Math.sqrt(2 / Math.PI)
const CUBE = 0.044715

/** act(x), elementwise. */
export function activation(act: Activation, x: Tensor): Tensor {
  const made = gateKernel(act, x)
  if (made) return made
  return tidy(() => {
    switch (act) {
      case 'silu':
        return mul(x, sigmoid(x))
      case 'gelu':
        return mul(x, normalCdf(x))
      case 'geluTanh':
        return mul(x, tanhCdf(x))
      case 'relu':
        return relu(x)
      case 'tanh':
        return tanh(x)
      default:
        return act satisfies never
    }
  })
}

/** dy act'(x), elementwise. */
export function activationBackward(act: Activation, dy: Tensor, x: Tensor): Tensor {
  return gateKernelBackward(act, dy, x)?.[0] ?? tidy(() => mul(dy, withSlope(act, x).dy))
}

/** On wasm, for the steps that most models have: act(gate) up, or act(gate) alone, in one pass; null elsewhere. */
export function gateKernel(act: Activation, gate: Tensor, up?: Tensor): Tensor | null {
  if (!hasKernel(act)) return null
  const tensors = { inputs: [gate, up], outputs: [gate.shape] }
  return rowKernel(`gated:${act}`, ...grid(gate), tensors)?.[0] ?? null
}

/** Of the same: the gradients of gate and, where it is given, of up. */
export function gateKernelBackward(act: Activation, dh: Tensor, gate: Tensor, up?: Tensor): Tensor[] | null {
  if (!hasKernel(act)) return null
  const outputs = up ? [gate.shape, gate.shape] : [gate.shape]
  return rowKernel(`gatedBackward:${act}`, ...grid(gate), { inputs: [dh, gate, up], outputs, numbers: [0] })
}

const hasKernel = (act: Activation): boolean => act === 'silu' || act === 'geluTanh'

/** Rows and their width. */
function grid(x: Tensor): [number, number] {
  const width = x.shape.at(-1) ?? 1
  return [width === 0 ? 0 : x.size / width, width]
}

/** y = act(x) and dy = act'(x), which share most of what they need. Inside a tidy. */
export function withSlope(act: Activation, x: Tensor): { y: Tensor; dy: Tensor } {
  switch (act) {
    case 'silu': {
      // sig (1 + x (1 - sig)) = sig + silu (1 - sig) = silu + sig (1 - silu)
      const sig = sigmoid(x)
      const y = mul(x, sig)
      return { y, dy: add(y, mul(sig, sub(1, y))) }
    }
    case 'gelu': {
      const cdf = normalCdf(x)
      const density = mul(expOfShifted(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI))
      return { y: mul(x, cdf), dy: add(cdf, mul(x, density)) }
    }
    case 'geluTanh': {
      // s + x s (1 - s) 2 u' with s = sigmoid(2 u)
      const s = tanhCdf(x)
      const steepness = mul(add(mul(square(x), 3 * CUBE), 1), FACTOR) // 2 u'
      const y = mul(x, s)
      return { y, dy: add(s, mul(mul(y, sub(1, s)), steepness)) }
    }
    case 'relu':
      return { y: relu(x), dy: cast(greater(x, 0), 'float32') }
    case 'tanh': {
      const y = tanh(x)
      return { y, dy: sub(1, square(y)) }
    }
    default:
      return act satisfies never
  }
}

/** Phi(x) = (1 + erf(x / sqrt 2)) / 2 */
function normalCdf(x: Tensor): Tensor {
  return mul(add(erf(div(x, Math.SQRT2)), 1), 0.5)
}

/** (1 + tanh u) / 2 = sigmoid(2 u) */
function tanhCdf(x: Tensor): Tensor {
  return sigmoid(mul(mul(x, add(mul(square(x), CUBE), 1)), FACTOR))
}
