// The feed-forward half of a block: down(act(up(x))), or gated, down(act(gate(x)) * up(x)) (Shazeer 2020, arXiv 2002.05202).
import type { Tensor } from '@tensorflow/tfjs-core'
import type { Activation } from '../ops/ops.ts'
import type { Layer, Pass, Traced } from './layer.ts'
import type { Linear } from './linear.ts'

export interface MlpParts {
  gate?: Linear
  up: Linear
  down: Linear
}

export class Mlp implements Layer {
  constructor(
    readonly act: Activation,
    readonly parts: MlpParts,
  ) {}

  /** x [N, d] -> [N, d] */
  trace(x: Tensor, pass: Pass): Traced {
    const { ops } = pass
    const gate = this.parts.gate?.trace(x, pass) // [N, f]
    const up = this.parts.up.trace(x, pass) // [N, f]
    const h = gate ? ops.gated(this.act, gate.y, up.y) : ops.activation(this.act, up.y) // [N, f]
    const down = this.parts.down.trace(h, pass) // [N, d]
    return {
      y: down.y,
      back: (dy, sink) => {
        const dh = down.back(dy, sink) // [N, f]
        if (!gate) return up.back(ops.activationBackward(this.act, dh, up.y), sink)
        const { dGate, dUp } = ops.gatedBackward(this.act, dh, gate.y, up.y)
        return ops.add(gate.back(dGate, sink), up.back(dUp, sink))
      },
    }
  }

  get linears(): Linear[] {
    const { gate, up, down } = this.parts
    return gate ? [gate, up, down] : [up, down]
  }

  dispose(): void {
    for (const linear of this.linears) linear.dispose()
  }
}
