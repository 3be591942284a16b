// Layers that read the same input, made together where the ops have kernels for it: queries, keys and values; gate and up;
// or one layer alone. What is trained in a way that those kernels do not know (DoRA, PiSSA's first factors, dropout, whole
// weights or biases) goes the general way, layer by layer.
import { concat, keep, tidy, zeros, type Tensor } from '@tensorflow/tfjs-core'
import { GraftError } from '../../protocol/errors.ts'
import type { JoinedLayer } from '../ops/fused.ts'
import type { Ops } from '../ops/ops.ts'
import type { Pass, Traced } from './layer.ts'
import type { Linear } from './linear.ts'

export class Joined {
  #bias: Tensor | null = null

  constructor(readonly linears: readonly Linear[]) {}

  /** x [N, in] -> [N, sum of out], side by side; null where the layers must go one by one. */
  trace(x: Tensor, pass: Pass, plus?: Tensor): Traced | null {
    const { fused } = pass.ops
    // With a cache, queries, keys and values are wanted one by one; single tokens have ops of their own (nn/step.ts).
    if (!fused || pass.cache) return null
    const layers: JoinedLayer[] = []
    for (const linear of this.linears) {
      const layer = joinable(linear, pass)
      if (!layer) return null
      layers.push(layer)
    }
    const halves = fused.joinedHalves(x, layers) // [N, ranks]
    const bias = this.#biases(pass.ops)
    let y: Tensor | undefined
    return {
      // Made when it is asked for: a block's last product is not, on its way back.
      get y() {
        return (y ??= fused.joined(x, layers, halves, bias, plus))
      },
      back(dy, sink, more) {
        if (sink && halves && !sink.inPlace)
          throw new GraftError(
            'E_INTERNAL',
            'Layers that are made together need a flat buffer for their gradients.',
          )
        return fused.joinedBackward(dy, x, layers, halves, sink?.inPlace ?? null, more)
      },
    }
  }

  /** The biases side by side, made once; the layers own those of their own. */
  #biases(ops: Ops): Tensor | undefined {
    const [first, ...others] = this.linears
    if (others.length === 0) return first!.bias
    if (this.linears.every((linear) => !linear.bias)) return undefined
    this.#bias ??= ops.once(() =>
      keep(tidy(() => concat(this.linears.map(({ bias, weight }) => bias ?? zeros([weight.shape[0]]))))),
    )
    return this.#bias
  }

  dispose(): void {
    this.#bias?.dispose()
    this.#bias = null
  }
}

function joinable({ path, weight, bias }: Linear, { adaptation }: Pass): JoinedLayer | null {
  if (weight.kind === 'split') return null
  if (adaptation?.tensor(`${path}.weight`) || (bias && adaptation?.tensor(`${path}.bias`))) return null
  const lora = adaptation?.factors(path)
  if (!lora) return { w: weight }
  const { places, scale, dropout, magnitude, start } = lora
  if (!places || magnitude || start || (dropout && dropout.rate > 0)) return null
  return { w: weight, lora: { places, scale } }
}
