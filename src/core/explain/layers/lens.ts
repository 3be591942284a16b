// The logit lens (nostalgebraist 2020): every layer's residual read as if it were the last one, through the final norm,
// whose statistics are those of the row it reads, and the head. Encoders of BERT's line normalise in every block and have
// no final norm; there each layer goes through the head as it is, the head's own transform included.
import { slice, tensor1d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { throwIfAborted } from '../../../protocol/errors.ts'
import { greedy } from '../../generate/sampler.ts'
import { tokenBatch } from '../../nn/batch.ts'
import type { Pass } from '../../nn/layer.ts'
import type { Asked } from '../subject.ts'

/** Logits that are read at once. */
const LOGITS_AT_ONCE = 2 ** 22

export interface LensOptions {
  positions: readonly number[]
  /** At most the outputs that there are. */
  k: number
  /** Followed at every position; null: what the last layer finds most likely there. */
  output: number | null
  onLayer?: (done: number) => void
  signal?: AbortSignal
}

/** See LogitLensResult. */
export interface Lens {
  k: number
  followed: Int32Array
  ranks: Int32Array
  logits: Float32Array
  probabilities: Float32Array
  entropies: Float32Array
  topIds: Int32Array
  topProbabilities: Float32Array
}

export async function logitLens(
  { model, trainable, turns, padId }: Asked,
  ids: readonly number[],
  { positions, k: wanted, output, onLayer, signal }: LensOptions,
): Promise<Lens> {
  const { blocks } = model.parts
  const layers = blocks.length + 1
  const count = positions.length
  const batch = tokenBatch([ids], padId, model.architecture.context)
  const pass = model.pass(batch, trainable.adaptation)
  const states: Tensor[] = []
  try {
    await turns.take(() => {
      let x: Tensor | null = null
      try {
        x = model.embed(batch.ids, pass)
        for (let layer = 0; ; layer++) {
          throwIfAborted(signal)
          const from = x
          states.push(tidy(() => model.ops.gatherRows(from, tensor1d([...positions], 'int32'))))
          if (layer === blocks.length) return
          x = blocks[layer]!.forward(from, pass)
          from.dispose()
        }
      } finally {
        x?.dispose()
      }
    })
    const step = Math.max(1, Math.floor(LOGITS_AT_ONCE / (trainable.classify ? 1 : model.architecture.vocab)))
    let lens: Lens | null = null
    // The last layer is read first: it says what is followed.
    for (let layer = layers - 1; layer >= 0; layer--) {
      for (let begin = 0; begin < count; begin += step) {
        throwIfAborted(signal)
        const rows = Math.min(count - begin, step)
        const logits = await turns.take(() =>
          rowLogits({ model, trainable }, states[layer]!, begin, rows, pass),
        )
        const width = logits.length / rows
        lens ??= emptyLens(layers, count, Math.min(wanted, width))
        for (let i = 0; i < rows; i++) {
          const row = logits.subarray(i * width, (i + 1) * width)
          const position = begin + i
          if (layer === layers - 1) lens.followed[position] = output ?? greedy(row)
          readRow(lens, layer * count + position, row, lens.followed[position]!)
        }
      }
      onLayer?.(layers - layer)
    }
    return lens!
  } finally {
    for (const state of states) state.dispose()
    batch.dispose()
  }
}

/** Logits [rows, V] of rows from `begin` of a layer's states [P, d]. */
async function rowLogits(
  { model, trainable }: Pick<Asked, 'model' | 'trainable'>,
  states: Tensor,
  begin: number,
  rows: number,
  pass: Pass,
): Promise<Float32Array> {
  const logits = tidy(() => {
    const n = model.final(slice(states, [begin, 0], [rows, -1]), pass).y
    return trainable.classify ? model.parts.classifier.trace(n, pass).y : model.head.logits(n, pass)
  })
  try {
    return (await logits.data()) as Float32Array
  } finally {
    logits.dispose()
  }
}

function emptyLens(layers: number, positions: number, k: number): Lens {
  const cells = layers * positions
  return {
    k,
    followed: new Int32Array(positions),
    ranks: new Int32Array(cells),
    logits: new Float32Array(cells),
    probabilities: new Float32Array(cells),
    entropies: new Float32Array(cells),
    topIds: new Int32Array(cells * k),
    topProbabilities: new Float32Array(cells * k),
  }
}

/** Of equal logits the one with the lower index comes first. */
function readRow(lens: Lens, cell: number, row: Float32Array, followed: number): void {
  const { k } = lens
  const top: number[] = []
  const chosen = row[followed]!
  let rank = 1
  let largest = -Infinity
  for (let v = 0; v < row.length; v++) {
    const logit = row[v]!
    if (logit > largest) largest = logit
    if (logit > chosen || (logit === chosen && v < followed)) rank++
    if (top.length === k && logit <= row[top[k - 1]!]!) continue
    let at = top.length
    while (at > 0 && row[top[at - 1]!]! < logit) at--
    top.splice(at, 0, v)
    if (top.length > k) top.pop()
  }
  let total = 0
  let weighted = 0
  for (const logit of row) {
    const weight = Math.exp(logit - largest)
    total += weight
    weighted += weight * (logit - largest)
  }
  const probability = (v: number) => Math.exp(row[v]! - largest) / total
  lens.ranks[cell] = rank
  lens.logits[cell] = chosen
  lens.probabilities[cell] = probability(followed)
  lens.entropies[cell] = Math.log(total) - weighted / total
  top.forEach((v, i) => {
    lens.topIds[cell * k + i] = v
    lens.topProbabilities[cell * k + i] = probability(v)
  })
}
