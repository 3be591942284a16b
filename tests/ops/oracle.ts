// The ops a second time, in plain float64 loops and nothing else: what every backend is compared with.
// Written from the formulas, for reading rather than speed; only forwards, since gradients come from differences.

export type Vector = Float64Array

/** x [n, i] w [o, i] -> x w^T [n, o] */
export function timesTransposed(x: Vector, w: Vector, n: number, i: number, o: number): Vector {
  const y = new Float64Array(n * o)
  for (let row = 0; row < n; row++)
    for (let column = 0; column < o; column++) {
      let sum = 0
      for (let k = 0; k < i; k++) sum += x[row * i + k]! * w[column * i + k]!
      y[row * o + column] = sum
    }
  return y
}

export interface LinearSizes {
  n: number
  i: number
  o: number
  r: number
}

/** y = x W^T + bias + scale ((x mask) A^T) B^T */
export function linear(
  sizes: LinearSizes,
  x: Vector,
  w: Vector,
  bias: Vector | null,
  lora: { a: Vector; b: Vector; scale: number; mask: Vector | null } | null,
): Vector {
  const { n, i, o, r } = sizes
  const y = timesTransposed(x, w, n, i, o)
  if (bias) for (let at = 0; at < n * o; at++) y[at]! += bias[at % o]!
  if (lora) {
    const { mask } = lora
    const dropped = mask ? x.map((value, at) => value * mask[at]!) : x
    const u = timesTransposed(dropped, lora.a, n, i, r)
    const extra = timesTransposed(u, lora.b, n, r, o)
    for (let at = 0; at < n * o; at++) y[at]! += lora.scale * extra[at]!
  }
  return y
}

export function rmsNorm(x: Vector, w: Vector, d: number, eps: number): Vector {
  const y = new Float64Array(x.length)
  for (let row = 0; row < x.length / d; row++) {
    let squares = 0
    for (let k = 0; k < d; k++) squares += x[row * d + k]! ** 2
    const rho = 1 / Math.sqrt(squares / d + eps)
    for (let k = 0; k < d; k++) y[row * d + k] = x[row * d + k]! * rho * w[k]!
  }
  return y
}

export function layerNorm(x: Vector, w: Vector, b: Vector, d: number, eps: number): Vector {
  const y = new Float64Array(x.length)
  for (let row = 0; row < x.length / d; row++) {
    const values = x.subarray(row * d, (row + 1) * d)
    const mean = values.reduce((sum, value) => sum + value, 0) / d
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / d
    for (let k = 0; k < d; k++)
      y[row * d + k] = ((values[k]! - mean) / Math.sqrt(variance + eps)) * w[k]! + b[k]!
  }
  return y
}

/** 2 / sqrt(pi) e^(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + ...): every term of one sign, so no digits are lost. */
export function erf(x: number): number {
  let term = x
  let sum = 0
  for (let n = 1; sum + term !== sum; n++) {
    sum += term
    term *= (2 * x * x) / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

export const ACTIVATIONS = {
  silu: (x: number) => x / (1 + Math.exp(-x)),
  gelu: (x: number) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  geluTanh: (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  relu: (x: number) => Math.max(0, x),
  tanh: (x: number) => Math.tanh(x),
}

/** x [n, h, hd]; cos and sin [positions, hd / 2] */
export function rope(
  x: Vector,
  positions: Int32Array,
  cos: Vector,
  sin: Vector,
  h: number,
  hd: number,
): Vector {
  const y = new Float64Array(x.length)
  const half = hd / 2
  positions.forEach((position, row) => {
    for (let head = 0; head < h; head++)
      for (let k = 0; k < half; k++) {
        const at = (row * h + head) * hd + k
        const c = cos[position * half + k]!
        const s = sin[position * half + k]!
        y[at] = x[at]! * c - x[at + half]! * s
        y[at + half] = x[at + half]! * c + x[at]! * s
      }
  })
  return y
}

export interface AttentionSizes {
  batch: number
  queries: number
  keys: number
  h: number
  hkv: number
  hd: number
  scale: number
  /** Whether a query of a sequence sees a key of it. */
  sees(sequence: number, query: number, key: number): boolean
}

export interface AttentionResult {
  output: Vector
  logSumExp: Vector
  probabilities: Vector
}

export function attention(sizes: AttentionSizes, q: Vector, k: Vector, v: Vector): AttentionResult {
  const { batch, queries, keys, h, hkv, hd, scale, sees } = sizes
  const output = new Float64Array(batch * queries * h * hd)
  const logSumExp = new Float64Array(batch * queries * h)
  const probabilities = new Float64Array(batch * h * queries * keys)
  for (let b = 0; b < batch; b++)
    for (let head = 0; head < h; head++) {
      const group = Math.floor(head / (h / hkv))
      for (let t = 0; t < queries; t++) {
        const query = ((b * queries + t) * h + head) * hd
        const scores: number[] = []
        for (let s = 0; s < keys; s++) {
          let score = 0
          for (let e = 0; e < hd; e++) score += q[query + e]! * k[((b * keys + s) * hkv + group) * hd + e]!
          scores.push(sees(b, t, s) ? score * scale : -Infinity)
        }
        const top = Math.max(...scores)
        const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0)
        const lse = top + Math.log(total)
        logSumExp[(b * queries + t) * h + head] = lse
        scores.forEach((score, s) => {
          const p = Math.exp(score - lse)
          probabilities[((b * h + head) * queries + t) * keys + s] = p
          for (let e = 0; e < hd; e++) output[query + e]! += p * v[((b * keys + s) * hkv + group) * hd + e]!
        })
      }
    }
  return { output, logSumExp, probabilities }
}

/** By the formulas rather than by differences, for shapes where those would take too long. */
export function attentionBackward(
  sizes: AttentionSizes,
  q: Vector,
  k: Vector,
  v: Vector,
  dO: Vector,
): { dq: Vector; dk: Vector; dv: Vector } {
  const { batch, queries, keys, h, hkv, hd, scale } = sizes
  const { output, probabilities } = attention(sizes, q, k, v)
  const [dq, dk, dv] = [q, k, v].map((x) => new Float64Array(x.length)) as [Vector, Vector, Vector]
  for (let b = 0; b < batch; b++)
    for (let head = 0; head < h; head++)
      for (let t = 0; t < queries; t++)
        for (let s = 0; s < keys; s++) {
          const query = ((b * queries + t) * h + head) * hd
          const key = ((b * keys + s) * hkv + Math.floor(head / (h / hkv))) * hd
          const p = probabilities[((b * h + head) * queries + t) * keys + s]!
          let slope = 0
          for (let e = 0; e < hd; e++) slope += dO[query + e]! * (v[key + e]! - output[query + e]!)
          for (let e = 0; e < hd; e++) {
            dq[query + e]! += scale * p * slope * k[key + e]!
            dk[key + e]! += scale * p * slope * q[query + e]!
            dv[key + e]! += p * dO[query + e]!
          }
        }
  return { dq, dk, dv }
}

/** factor x sum of cross-entropies of logits [m, c]; negative labels are ignored; rows may have weights. */
export function crossEntropy(
  logits: Vector,
  labels: Int32Array,
  c: number,
  factor: number,
  smoothing = 0,
  weights: ArrayLike<number> | null = null,
): number {
  let loss = 0
  labels.forEach((label, row) => {
    if (label < 0) return
    const z = logits.subarray(row * c, (row + 1) * c)
    const top = Math.max(...z)
    const lse = top + Math.log(z.reduce((sum, value) => sum + Math.exp(value - top), 0))
    const mean = z.reduce((sum, value) => sum + value, 0) / c
    loss += (weights?.[row] ?? 1) * (lse - (1 - smoothing) * z[label]! - smoothing * mean)
  })
  return factor * loss
}

export interface AdamwNumbers {
  learningRate: number
  beta1: number
  beta2: number
  epsilon: number
  weightDecay: number
  clip: number
  step: number
}

/** One step of torch.optim.AdamW after clip_grad_norm_, on state = [values, m, v]; `rate` multiplies the learning rate of
 *  an element, as a parameter group of its own would. */
export function adamw(
  state: Vector,
  gradient: Vector,
  decays: (at: number) => boolean,
  hyper: AdamwNumbers,
  rate: (at: number) => number = () => 1,
): Vector {
  const size = gradient.length
  const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0))
  const factor = hyper.clip > 0 ? Math.min(1, hyper.clip / (norm + 1e-6)) : 1
  const next = state.slice()
  for (let at = 0; at < size; at++) {
    const g = gradient[at]! * factor
    let p = state[at]!
    const learningRate = hyper.learningRate * rate(at)
    if (decays(at)) p *= 1 - learningRate * hyper.weightDecay
    const m = hyper.beta1 * state[size + at]! + (1 - hyper.beta1) * g
    const v = hyper.beta2 * state[2 * size + at]! + (1 - hyper.beta2) * g * g
    const denominator = Math.sqrt(v) / Math.sqrt(1 - hyper.beta2 ** hyper.step) + hyper.epsilon
    next[at] = p - ((learningRate / (1 - hyper.beta1 ** hyper.step)) * m) / denominator
    next[size + at] = m
    next[2 * size + at] = v
  }
  return next
}

/** Gradient of sum(f(x) dy) with respect to x by central differences. */
export function difference(f: (x: Vector) => Vector, x: Vector, dy: Vector, h = 1e-5): Vector {
  const gradient = new Float64Array(x.length)
  const moved = x.slice()
  const project = (): number => f(moved).reduce((sum, value, at) => sum + value * dy[at]!, 0)
  for (let at = 0; at < x.length; at++) {
    moved[at] = x[at]! + h
    const above = project()
    moved[at] = x[at]! - h
    gradient[at] = (above - project()) / (2 * h)
    moved[at] = x[at]!
  }
  return gradient
}
