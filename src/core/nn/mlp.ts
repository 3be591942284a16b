// The feed-forward half of a block: down(act(up(x))), or gated, down(act(gate(x)) * up(x)) (Shazeer 2020, arXiv 2002.05202).
import type { Tensor } from '@tensorflow/tfjs-core'
import type { Activation } from '../ops/ops.ts'
import { Joined } from './joined.ts'
import type { Layer, Pass, Traced } from './layer.ts'
import type { Linear } from './linear.ts'

export interface MlpParts {
  gate?: Linear
  up: Linear
  down: Linear
}

export class Mlp implements Layer {
  readonly #joined: Joined | null

  constructor(
    readonly act: Activation,
    readonly parts: MlpParts,
  ) {
    this.#joined = parts.gate ? new Joined([parts.gate, parts.up]) : null
  }

  /** x [N, d] -> [N, d] */
  trace(x: Tensor, pass: Pass, plus?: Tensor): Traced {
    const { h, back } = this.#hidden(x, pass) // [N, f]
    const down = this.parts.down.trace(h, pass, plus) // [N, d]
    return {
      get y() {
        return down.y
      },
      back: (dy, sink, more) => back(down.back(dy, sink), sink, more),
    }
  }

  /** What `down` reads, and the way back to x. */
  #hidden(x: Tensor, pass: Pass): { h: Tensor; back: Traced['back'] } {
    const { ops } = pass
    const joint = this.#joined?.trace(x, pass) // [N, 2 f]
    if (joint)
      return {
        h: ops.fused!.gated(this.act, joint.y),
        back: (dh, sink, plus) => joint.back(ops.fused!.gatedBackward(this.act, dh, joint.y), sink, plus),
      }
    const gate = this.parts.gate?.trace(x, pass) // [N, f]
    const up = this.parts.up.trace(x, pass) // [N, f]
    return {
      h: gate ? ops.gated(this.act, gate.y, up.y) : ops.activation(this.act, up.y), // [N, f]
      back: (dh, sink, plus) => {
        if (!gate) return up.back(ops.activationBackward(this.act, dh, up.y), sink, plus)
        const { dGate, dUp } = ops.gatedBackward(this.act, dh, gate.y, up.y)
        return up.back(dUp, sink, gate.back(dGate, sink, plus))
      },
    }
  }

  get linears(): Linear[] {
    const { gate, up, down } = this.parts
    return gate ? [gate, up, down] : [up, down]
  }

  dispose(): void {
    for (const linear of this.linears) linear.dispose()
    this.#joined?.dispose()
  }
}
