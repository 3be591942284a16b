// From token ids to the input of the first block: the table of tokens, and what families add to its rows (learned
// positions, token types, a norm, a scale).
import { add, dispose, mul, scalar, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { disposeMatrix, type FrozenMatrix } from '../ops/matrix.ts'
import type { Ops } from '../ops/ops.ts'
import { savedName, type Adaptation, type GradientSink } from './adaptation.ts'
import type { Pass, Traced } from './layer.ts'
import { trainedMatrix } from './linear.ts'
import type { Norm } from './norm.ts'

export interface InputParts {
  /** Name of the table's tensor, and the table [V, d]. */
  name: string
  tokens: FrozenMatrix
  /** Rows of the table are multiplied by this: sqrt(d) for Gemma. */
  scale: number
  /** [P, d], read at position + offset. */
  positions?: { name: string; table: Tensor; offset: number }
  /** [types, d]; every token is of type 0. */
  types?: { name: string; table: Tensor }
  norm?: Norm
}

export class Inputs {
  constructor(readonly parts: InputParts) {}

  /** The rows of the tokens, scaled: ids int32 [N] -> [N, d]. This is what saliency takes for the input. */
  rows(ops: Ops, ids: Tensor, adaptation: Adaptation | null): Tensor {
    const { name, tokens, scale } = this.parts
    const trained = adaptation?.tensor(name)
    const rows = ops.embedding(trained ? trainedMatrix(trained) : tokens, ids) // [N, d]
    if (scale === 1) return rows
    const scaled = ops.scale(rows, scale)
    rows.dispose()
    return scaled
  }

  /** The gradient of `rows` on its way into a trained table. */
  rowsBackward(ops: Ops, dy: Tensor, ids: Tensor, adaptation: Adaptation | null, sink: GradientSink): void {
    const { name, tokens, scale } = this.parts
    if (!adaptation?.tensor(name)) return
    const gradient = tidy(() =>
      ops.embeddingGradient(scale === 1 ? dy : ops.scale(dy, scale), ids, tokens.shape[0]),
    )
    sink.add(savedName(name), gradient)
    gradient.dispose()
  }

  /** Rows [N, d] -> the input of the first block [N, d]. */
  trace(rows: Tensor, pass: Pass): Traced {
    const { ops, adaptation } = pass
    const { positions, types, norm } = this.parts
    let x = rows
    if (positions) {
      const table = adaptation?.tensor(positions.name) ?? positions.table
      x = ops.add(x, ops.gatherRows(table, pass.positions, positions.offset))
    }
    if (types) {
      const table = adaptation?.tensor(types.name) ?? types.table
      x = ops.add(x, ops.part(table, 0, [1, table.shape[1]!])) // [1, d] to all
    }
    const normed = norm?.trace(x, pass)
    return {
      y: normed?.y ?? x,
      back: (dy, sink) => {
        const dx = normed ? normed.back(dy, sink) : dy
        if (sink && positions && adaptation?.tensor(positions.name)) {
          const places =
            positions.offset === 0 ? pass.positions : add(pass.positions, scalar(positions.offset, 'int32')) // int32 [N]
          sink.add(savedName(positions.name), ops.embeddingGradient(dx, places, positions.table.shape[0]!))
        }
        if (sink && types && adaptation?.tensor(types.name)) {
          const ids = mul(pass.positions, scalar(0, 'int32')) // every token is of type 0
          sink.add(savedName(types.name), ops.embeddingGradient(dx, ids, types.table.shape[0]!))
        }
        return dx
      },
    }
  }

  dispose(): void {
    const { tokens, positions, types, norm } = this.parts
    disposeMatrix(tokens)
    if (positions) positions.table.dispose()
    if (types) dispose(types.table)
    norm?.dispose()
  }
}
