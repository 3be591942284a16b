// Which dispatches belong to a block's forward, its backward and what is computed again for it; everything else of a
// step is outside the blocks. Stands around Block's methods, and around the ops to see where the way back begins.
import { Block } from '../src/core/nn/block.ts'
import type { Ops } from '../src/core/ops/ops.ts'
import { dispatches } from './counters.ts'

/** Dispatches of one block on each part of its way, means over all blocks that were computed. */
export interface BlockDispatches {
  forward: number
  recompute: number
  backward: number
}

const sums = { forward: 0, recompute: 0, backward: 0 }
const calls = { forward: 0, backward: 0 }
/** Dispatches at the moment when the current block's way back began. */
let turned: number | null = null
let installed = false

export function forgetBlocks(): void {
  Object.assign(sums, { forward: 0, recompute: 0, backward: 0 })
  Object.assign(calls, { forward: 0, backward: 0 })
}

/** Null where no block was computed since `forgetBlocks` (a recorded step is replayed without them). */
export function blockDispatches(): BlockDispatches | null {
  if (calls.forward === 0 || calls.backward === 0) return null
  return {
    forward: sums.forward / calls.forward,
    recompute: sums.recompute / calls.backward,
    backward: sums.backward / calls.backward,
  }
}

export function watchBlocks(): void {
  if (installed) return
  installed = true
  const { forwardAndBack } = Block.prototype
  Block.prototype.forwardAndBack = function (...args) {
    const before = dispatches()
    const { y, back } = forwardAndBack.apply(this, args)
    sums.forward += dispatches() - before
    calls.forward++
    return {
      y,
      back: (...given) => {
        const before = dispatches()
        turned = null
        const dx = back(...given)
        const turn = turned ?? before
        sums.recompute += turn - before
        sums.backward += dispatches() - turn
        calls.backward++
        return dx
      },
    }
  }
}

/** The same ops; the first backward op of a block marks where its recomputed forward ends. */
export function watchedOps(ops: Ops): Ops {
  return new Proxy(ops, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver)
      if (typeof value !== 'function' || typeof name !== 'string' || !name.endsWith('Backward')) return value
      return (...args: unknown[]) => {
        turned ??= dispatches()
        return (value as (...args: unknown[]) => unknown).apply(target, args)
      }
    },
  })
}
