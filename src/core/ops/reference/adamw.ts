// AdamW (Loshchilov & Hutter 2017, arXiv 1711.05101) in PyTorch's order, with clipping by the global norm:
// g *= min(1, clip / (norm + 1e-6));  p *= 1 - lr wd;  m, v updates;
// p -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps);  lr is the step's times the slot's rate.
// Where the norm is not finite nothing changes: on a device, whose numbers cannot be looked at, the step becomes the
// identity by its factors, m * 1 + g * 0 with g made finite.
import {
  add,
  cast,
  concat,
  div,
  isFinite as finite,
  minimum,
  mul,
  reshape,
  scalar,
  sqrt,
  square,
  sub,
  sum,
  tensor1d,
  tidy,
  where,
  zerosLike,
  type Tensor,
} from '@tensorflow/tfjs-core'
import type { AdamwHyper, Slot } from '../ops.ts'
import { SLOT_ALIGNMENT } from '../ops.ts'
import { elements, stepInPlace } from './adamwInPlace.ts'
import { part } from './rows.ts'

/** sqrt(sum g^2) of g [P] -> []; summed in two stages, which keeps float32's error small. */
export function globalNorm(gradient: Tensor): Tensor {
  return tidy(() => {
    const squares = square(gradient)
    const columns = gradient.size % SLOT_ALIGNMENT === 0 ? SLOT_ALIGNMENT : 1
    return sqrt(sum(sum(reshape(squares, [gradient.size / columns, columns]), 1)))
  })
}

/** state [3, P] (consumed), gradient [P], norm [] -> the next state [3, P]: the same tensor where memory is at hand. */
export function adamw(
  state: Tensor,
  gradient: Tensor,
  norm: Tensor,
  slots: readonly Slot[],
  hyper: AdamwHyper,
): Tensor {
  const values = elements(state)
  if (values) {
    stepInPlace(values, elements(gradient)!, elements(norm)![0]!, slots, hyper)
    return state
  }
  const size = gradient.size
  const { learningRate, beta1, beta2, epsilon, weightDecay, clip, step } = hyper
  const next = tidy(() => {
    const row = (index: number): Tensor => part(state, index * size, [size])
    const go = cast(finite(norm), 'float32') // [] 1, or 0 where the step is skipped
    const safeNorm = where(finite(norm), norm, zerosLike(norm)) // []
    const factor = clip > 0 ? minimum(1, div(clip, add(safeNorm, 1e-6))) : 1
    const g = mul(where(finite(gradient), gradient, zerosLike(gradient)), factor) // [P]
    const rest = (beta: number): Tensor => mul(go, 1 - beta) // [] 1 - beta, or 0
    const share = (beta: number): Tensor => add(mul(go, beta), sub(1, go)) // [] beta, or 1
    const m = add(mul(row(1), share(beta1)), mul(g, rest(beta1))) // [P]
    const v = add(mul(row(2), share(beta2)), mul(square(g), rest(beta2))) // [P]
    const denominator = add(div(sqrt(v), Math.sqrt(1 - beta2 ** step)), epsilon) // [P]
    const rates = bySlot(slots, size, ({ rate }) => rate) // [P] or []
    const decayed = bySlot(slots, size, ({ rate, decay }) => (decay ? rate : 0)) // [P] or []
    const ratio = mul(div(m, denominator), rates) // [P]
    const move = mul(ratio, mul(go, learningRate / (1 - beta1 ** step))) // [P]
    let p = row(0)
    if (weightDecay !== 0) p = mul(p, sub(1, mul(go, mul(decayed, learningRate * weightDecay))))
    return reshape(concat([sub(p, move), m, v], 0), [3, size])
  })
  state.dispose()
  return next
}

/** A number of each slot, spread over its elements: f32 [P], or [] where all are equal. */
function bySlot(slots: readonly Slot[], size: number, number: (slot: Slot) => number): Tensor {
  const numbers = slots.map(number)
  if (numbers.every((value) => value === numbers[0])) return scalar(numbers[0] ?? 1)
  const spread = new Float32Array(size)
  slots.forEach(({ offset, size: length }, i) => spread.fill(numbers[i]!, offset, offset + length))
  return tensor1d(spread)
}
