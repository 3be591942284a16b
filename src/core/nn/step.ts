// A model as one token's row goes through it (ops/step.ts): made once for an answer, from the layers and an adapter. What
// adapters differ in is settled here: factors side by side in one flat tensor, PiSSA's first factors as further ranks, DoRA
// as a factor of every row (its norms do not change while a text is written), weights trained whole in place of the base's.
import { add, concat, div, keep, mul, ones, reshape, tidy, zeros, type Tensor } from '@tensorflow/tfjs-core'
import { GraftError } from '../../protocol/errors.ts'
import type { Ops } from '../ops/ops.ts'
import type { Beside, KeyValueCache, RowNorm, StepLayer, StepOps } from '../ops/step.ts'
import type { Adaptation, LayerFactors } from './adaptation.ts'
import type { Block } from './block.ts'
import { adaptedRowNorms, rowSquares } from './dora.ts'
import type { LanguageHead } from './heads.ts'
import { trainedMatrix, type Linear } from './linear.ts'
import type { Norm } from './norm.ts'

/** Layers that are made in one product. */
interface Group {
  layers: StepLayer[]
  beside: Beside
}

interface StepBlock {
  block: Block
  projections: Group
  output: Group
  /** Gate and up, or up alone. */
  hidden: Group
  down: Group
  headNorms: { q: RowNorm; k: RowNorm } | null
  /** Norms behind attention and MLP. */
  behind: { attention: RowNorm; mlp: RowNorm } | null
}

export interface StepParts {
  blocks: readonly Block[]
  finalNorm: Norm | null
  head: LanguageHead
}

export class StepModel {
  readonly #blocks: StepBlock[]
  readonly #finalNorm: RowNorm | undefined
  readonly #head: Group
  readonly #made: Made

  constructor(
    readonly ops: Ops & { step: StepOps },
    { blocks, finalNorm, head }: StepParts,
    adaptation: Adaptation | null,
  ) {
    this.#made = new Made(ops, adaptation)
    try {
      this.#made.pack(blocks.flatMap((block) => block.linears))
      this.#blocks = blocks.map((block) => this.#block(block))
      this.#finalNorm = finalNorm ? this.#made.norm(finalNorm) : undefined
      const { bias } = head.parts
      this.#head = {
        layers: [{ w: head.matrix(adaptation) }],
        beside: { norm: this.#finalNorm, ...(bias && { bias }) },
      }
    } catch (error) {
      this.#made.dispose()
      throw error
    }
  }

  /** The newest token's row x [1, d] (consumed) at `position`, int32 [1], -> logits [1, V]. Caches must have room for it, and
   *  the caller adds to their lengths. */
  logits(x: Tensor, position: Tensor, caches: readonly KeyValueCache[]): Tensor {
    return tidy(() => {
      this.#blocks.forEach((block, layer) => {
        x = this.#through(block, x, position, caches[layer]!)
      })
      return this.ops.step.rows(x, this.#head.layers, this.#head.beside)
    })
  }

  dispose(): void {
    this.#made.dispose()
  }

  #block(block: Block): StepBlock {
    const { attention, mlp, norms } = block
    if (norms.order === 'post')
      throw new GraftError('E_INTERNAL', 'A block with its norms behind it is an encoder: it writes nothing.')
    const made = this.#made
    const { projections, headNorms, output } = attention.parts
    const { gate, up, down } = mlp.parts
    return {
      block,
      projections: made.group(Object.values(projections) as Linear[], norms.attention),
      output: made.group([output]),
      hidden: made.group(gate ? [gate, up] : [up], norms.mlp),
      down: made.group([down]),
      headNorms: headNorms ? { q: made.norm(headNorms.q), k: made.norm(headNorms.k) } : null,
      behind:
        norms.order === 'sandwich'
          ? { attention: made.norm(norms.attentionOut), mlp: made.norm(norms.mlpOut) }
          : null,
    }
  }

  #through(step: StepBlock, x: Tensor, position: Tensor, cache: KeyValueCache): Tensor {
    const { ops } = this
    const { attention, mlp } = step.block
    const { rope, mask } = attention.parts
    const { behind } = step

    const joint = ops.step.rows(x, step.projections.layers, step.projections.beside)
    const context = ops.step.attention(
      {
        ...attention.shape,
        joint,
        mask,
        ...(step.headNorms && {
          norms: { q: step.headNorms.q.weight, k: step.headNorms.k.weight, eps: step.headNorms.q.eps },
        }),
        ...(rope && { rope: { table: rope, positions: position } }),
      },
      position,
      cache,
    )
    const attended = ops.step.rows(context, step.output.layers, step.output.beside, behind ? undefined : x)
    const r = behind ? applied(ops, behind.attention, attended, x) : attended
    const [first, second] = step.hidden.layers as [StepLayer, StepLayer?]
    const h = second
      ? ops.step.gatedRows(mlp.act, r, [first, second], step.hidden.beside)
      : ops.step.rows(r, step.hidden.layers, { ...step.hidden.beside, then: mlp.act })
    const y = ops.step.rows(h, step.down.layers, step.down.beside, behind ? undefined : r)
    return behind ? applied(ops, behind.mlp, y, r) : y
  }
}

function applied(ops: Ops, { kind, weight, bias, eps }: RowNorm, x: Tensor, plus: Tensor): Tensor {
  return kind === 'layer' ? ops.layerNorm(x, weight, bias!, eps, plus) : ops.rmsNorm(x, weight, eps, plus)
}

/** Turns layers, norms and an adapter into what the kernels take; owns what had to be made for it. */
class Made {
  readonly #tensors: Tensor[] = []
  readonly #norms = new Map<Norm, RowNorm>()
  readonly #lora = new Map<Linear, NonNullable<StepLayer['lora']>>()
  readonly #gains = new Map<Linear, Tensor>()

  constructor(
    readonly ops: Ops,
    readonly adaptation: Adaptation | null,
  ) {}

  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose()
  }

  norm(norm: Norm): RowNorm {
    const known = this.#norms.get(norm)
    if (known) return known
    const { kind, epsilon, offset } = norm.settings
    const trained = this.adaptation?.tensor(`${norm.path}.weight`)
    const bias = this.adaptation?.tensor(`${norm.path}.bias`) ?? norm.bias
    const weight = !trained ? norm.weight : offset === 0 ? trained : this.#keep(() => add(trained, offset))
    const made = { kind, weight, eps: epsilon, ...(bias && { bias }) }
    this.#norms.set(norm, made)
    return made
  }

  group(linears: readonly Linear[], norm?: Norm): Group {
    const biases = linears.map((linear) => this.adaptation?.tensor(`${linear.path}.bias`) ?? linear.bias)
    const gains = linears.map((linear) => this.#gains.get(linear))
    const side = (parts: (Tensor | undefined)[], rest: (size: number) => Tensor): Tensor | undefined => {
      if (parts.every((part) => !part)) return undefined
      if (parts.length === 1) return parts[0]
      return this.#keep(() => concat(parts.map((part, j) => part ?? rest(linears[j]!.weight.shape[0]))))
    }
    return {
      layers: linears.map((linear) => {
        const lora = this.#lora.get(linear)
        return { w: this.#weight(linear), ...(lora && { lora }) }
      }),
      beside: {
        norm: norm && this.norm(norm),
        bias: side(biases, (size) => zeros([size])),
        gain: side(gains, (size) => ones([size])),
      },
    }
  }

  /** Lays the factors of all adapters into one flat tensor, unless they lie in one already. */
  pack(linears: readonly Linear[]): void {
    const found = linears.flatMap((linear) => {
      const factors = this.adaptation?.factors(linear.path)
      return factors ? [{ linear, factors }] : []
    })
    if (found.length === 0) return
    if (found.every(({ factors }) => factors.places && !factors.magnitude && !factors.start)) {
      for (const { linear, factors } of found)
        this.#lora.set(linear, { ...factors.places!, scale: factors.scale })
      return
    }
    const places: { linear: Linear; r: number; a: number; b: number; scale: number }[] = []
    const parameters = this.#keep(() => {
      let at = 0
      const parts = found.flatMap(({ linear, factors }) => {
        const { a, b } = this.#whole(linear, factors)
        places.push({ linear, r: a.shape[0]!, a: at, b: at + a.size, scale: factors.scale })
        at += a.size + b.size
        return [reshape(a, [a.size]), reshape(b, [b.size])]
      })
      return concat(parts)
    })
    for (const { linear, ...place } of places) this.#lora.set(linear, { parameters, ...place })
  }

  /** A [r, in] and B [out, r] with everything in them but the scale. */
  #whole(
    linear: Linear,
    { a, b, scale, magnitude, strength = 1, start }: LayerFactors,
  ): { a: Tensor; b: Tensor } {
    if (start) return { a: concat([a, start.a], 0), b: concat([b, mul(start.b, -1)], 1) }
    if (!magnitude) return { a, b }
    // y = g (W x + s B A x) + (1 - strength) W x: nn/dora.ts.
    const w = this.#weight(linear)
    const norms = adaptedRowNorms(w, rowSquares(w, this.ops), { a, b, scale }, this.ops) // [out]
    const share = mul(div(magnitude, norms), strength) // [out]
    this.#gains.set(
      linear,
      this.#keep(() => add(share, 1 - strength)),
    )
    return { a, b: mul(b, reshape(share, [share.size, 1])) }
  }

  #weight({ path, weight }: Linear): StepLayer['w'] {
    const trained = this.adaptation?.tensor(`${path}.weight`)
    return trained ? trainedMatrix(trained) : weight
  }

  #keep(make: () => Tensor): Tensor {
    const tensor = keep(tidy(make))
    this.#tensors.push(tensor)
    return tensor
  }
}
