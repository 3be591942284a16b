// Smooth steps, with their slopes written out.
// silu x sigmoid(x) (Elfwing et al. 2017, arXiv 1702.03118); gelu x Phi(x) and its tanh form (Hendrycks & Gimpel 2016,
// arXiv 1606.08415). tf.erf is Abramowitz & Stegun 7.1.26 on the cpu and webgpu backends: at most 1.5e-7 off.
import {
  add,
  cast,
  clipByValue,
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

/** sqrt(2 / pi) and the cubic share of GELU's tanh form. */
const TANH_FACTOR = Math.sqrt(2 / Math.PI)
const TANH_CUBE = 0.044715
/** Where tanh is 1 in float32, and far from where an exponential inside it overflows. */
const TANH_LIMIT = 15

/** act(x), elementwise. */
export function activation(act: Activation, x: Tensor): Tensor {
  return tidy(() => {
    switch (act) {
      case 'silu':
        return mul(x, sigmoid(x))
      case 'gelu':
        return mul(x, normalCdf(x))
      case 'geluTanh':
        return mul(mul(x, 0.5), add(1, innerTanh(x)))
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
  return tidy(() => mul(dy, slope(act, x)))
}

/** act'(x) */
export function slope(act: Activation, x: Tensor): Tensor {
  return tidy(() => {
    switch (act) {
      case 'silu': {
        // sig (1 + x (1 - sig)) = sig + silu - silu sig
        const sig = sigmoid(x)
        const silu = mul(x, sig)
        return add(sig, sub(silu, mul(silu, sig)))
      }
      case 'gelu': {
        const density = mul(expOfShifted(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI))
        return add(normalCdf(x), mul(x, density))
      }
      case 'geluTanh': {
        // (1 + t) / 2 + x / 2 (1 - t^2) u'
        const t = innerTanh(x)
        const inner = mul(add(mul(square(x), 3 * TANH_CUBE), 1), TANH_FACTOR) // u'
        const bend = mul(mul(mul(x, 0.5), sub(1, square(t))), inner)
        return add(mul(add(t, 1), 0.5), bend)
      }
      case 'relu':
        return cast(greater(x, 0), 'float32')
      case 'tanh':
        return sub(1, square(tanh(x)))
      default:
        return act satisfies never
    }
  })
}

/** Phi(x) = (1 + erf(x / sqrt 2)) / 2 */
function normalCdf(x: Tensor): Tensor {
  return mul(add(erf(div(x, Math.SQRT2)), 1), 0.5)
}

/** tanh u with u = sqrt(2 / pi) (x + 0.044715 x^3) */
function innerTanh(x: Tensor): Tensor {
  const u = mul(mul(x, add(mul(square(x), TANH_CUBE), 1)), TANH_FACTOR)
  return tanh(clipByValue(u, -TANH_LIMIT, TANH_LIMIT))
}
