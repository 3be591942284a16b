// What each block adds to the residual: its size at every token, and its direct contribution to the explained number
// (direct logit attribution, Elhage et al. 2021). The last residual is the sum of what entered and all additions; with the
// last norm's scale held at its value, norm and head are affine in it, so that the contributions and the biases add up to
// the number exactly. Where blocks normalise their sums (order 'post') there is no such sum.
import { dispose, tensor1d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { throwIfAborted } from '../../../protocol/errors.ts'
import type { DirectContributions } from '../../../protocol/explain.ts'
import { tokenBatch } from '../../nn/batch.ts'
import type { Pass } from '../../nn/layer.ts'
import type { NormSettings } from '../../nn/norm.ts'
import { outputAndGradient } from '../gradient.ts'
import type { Subject } from '../subject.ts'

/** See LayersResult. */
export interface Additions {
  residual: Float32Array
  attention: Float32Array
  mlp: Float32Array
  direct: DirectContributions | null
  /** The explained number. */
  value: number
}

export interface AdditionsOptions {
  onLayer?: (done: number) => void
  signal?: AbortSignal
}

export async function additions(
  { model, trainable, turns, padId, ids, explained }: Subject,
  { onLayer, signal }: AdditionsOptions = {},
): Promise<Additions> {
  const { blocks } = model.parts
  const length = ids.length
  const residual = new Float32Array((blocks.length + 1) * length)
  const attention = new Float32Array(blocks.length * length)
  const mlp = new Float32Array(blocks.length * length)
  /** Rows [d] at the explained position: what entered, then what attention and MLP of each block added. */
  const parts: Float32Array[] = []
  const { hidden } = model.architecture
  const take = async (x: Tensor, norms: Float32Array, layer: number, isPart: boolean) => {
    const values = (await x.data()) as Float32Array
    for (let t = 0; t < length; t++)
      norms[layer * length + t] = norm(values.subarray(t * hidden, (t + 1) * hidden))
    if (isPart) parts.push(values.slice(explained.position * hidden, (explained.position + 1) * hidden))
  }
  const batch = tokenBatch([ids], padId, length)
  const pass = model.pass(batch, trainable.adaptation)
  let x: Tensor | null = null
  try {
    x = await turns.take(() => model.embed(batch.ids, pass))
    await take(x, residual, 0, true)
    for (const [layer, block] of blocks.entries()) {
      throwIfAborted(signal)
      const from: Tensor = x
      const made = await turns.take(() => block.additions(from, pass))
      from.dispose()
      x = made.y
      try {
        await take(made.attention, attention, layer, true)
        await take(made.mlp, mlp, layer, true)
      } finally {
        dispose([made.attention, made.mlp])
      }
      await take(x, residual, layer + 1, false)
      onLayer?.(layer + 1)
    }
    const last = x
    const read = await turns.take(() => lastNorm({ model, trainable, explained }, last, pass))
    const settings = model.parts.finalNorm?.settings
    const summed = model.architecture.order !== 'post' && settings && read.w
    return {
      residual,
      attention,
      mlp,
      direct: summed ? contributions(parts, { ...read, w: read.w! }, settings) : null,
      value: read.value,
    }
  } finally {
    x?.dispose()
    batch.dispose()
  }
}

interface LastNorm {
  value: number
  /** [d]: what the head reads, and the gradient of the value with respect to it. */
  n: Float32Array
  dn: Float32Array
  /** Of the last norm, where there is one. */
  w?: Float32Array
  b?: Float32Array
}

async function lastNorm(
  { model, trainable, explained }: Pick<Subject, 'model' | 'trainable' | 'explained'>,
  last: Tensor,
  pass: Pass,
): Promise<LastNorm> {
  const made = tidy(() => {
    const h = model.ops.gatherRows(last, tensor1d([explained.position], 'int32')) // [1, d]
    const n = model.final(h, pass).y
    const { value, dn } = outputAndGradient(model, n, explained, pass, trainable.classify)
    const { w, b } = model.parts.finalNorm?.values(trainable.adaptation) ?? {}
    // Handles of their own: the model keeps its weights.
    return [value, n, dn, ...(w ? [w] : []), ...(b ? [b] : [])].map((tensor) => tensor.clone())
  })
  try {
    const [value, n, dn, w, b] = (await Promise.all(made.map((tensor) => tensor.data()))) as Float32Array[]
    return { value: value![0]!, n: n!, dn: dn!, ...(w && { w }), ...(b && { b }) }
  } finally {
    dispose(made)
  }
}

/** Of the rows of all parts, whose sum is the last residual. */
export function contributions(
  parts: readonly Float32Array[],
  { value, n, dn, w, b }: LastNorm & { w: Float32Array },
  { kind, epsilon }: Pick<NormSettings, 'kind' | 'epsilon'>,
): DirectContributions {
  const d = w.length
  const h = new Float64Array(d)
  for (const part of parts) part.forEach((element, i) => (h[i]! += element))
  const mean = (x: ArrayLike<number>) => (kind === 'layer' ? sumOf(d, (i) => x[i]!) / d : 0)
  const center = mean(h)
  const scale = 1 / Math.sqrt(sumOf(d, (i) => (h[i]! - center) ** 2) / d + epsilon)
  const each = parts.map((part) => {
    const middle = mean(part)
    return sumOf(d, (i) => dn[i]! * w[i]! * (part[i]! - middle) * scale)
  })
  // What the head adds to the product with its row is its bias.
  const bias = sumOf(d, (i) => dn[i]! * (b?.[i] ?? 0)) + value - sumOf(d, (i) => dn[i]! * n[i]!)
  const [input, ...added] = each
  return {
    input: input!,
    attention: Float64Array.from(added.filter((_, i) => i % 2 === 0)),
    mlp: Float64Array.from(added.filter((_, i) => i % 2 === 1)),
    bias,
    residual: value - bias - each.reduce((sum, contribution) => sum + contribution, 0),
  }
}

function sumOf(count: number, f: (i: number) => number): number {
  let sum = 0
  for (let i = 0; i < count; i++) sum += f(i)
  return sum
}

const norm = (row: Float32Array): number => Math.sqrt(sumOf(row.length, (i) => row[i]! ** 2))
