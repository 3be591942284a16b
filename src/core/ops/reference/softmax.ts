// The exponential of softmaxes.
import { clipByValue, exp, tidy, type Tensor } from '@tensorflow/tfjs-core'

/** exp(-60) = 9e-27: far below float32's resolution beside a maximum of 1. */
const FLOOR = -60
/** Just below the argument where float32 overflows. */
const CEILING = 88

/**
 * exp(x) for scores less their maximum or their logsumexp, with everything below e^-60 raised to it. Numbers that
 * underflow cost the wasm backend twenty times as much, here and in the products that follow.
 */
export function expOfShifted(x: Tensor): Tensor {
  return tidy(() => exp(clipByValue(x, FLOOR, CEILING)))
}
