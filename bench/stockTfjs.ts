// The same LoRA step as anybody would write it in tfjs: plain ops, `variableGrads`, `train.adam`. No kernel of Graft's has
// part in it; base, adapters and rows are the same, so its loss must be Graft's (the bench compares them).
import {
  add,
  concat,
  dispose,
  gather,
  losses,
  matMul,
  mean,
  mul,
  neg,
  oneHot,
  Optimizer,
  OptimizerConstructors,
  reshape,
  rsqrt,
  sigmoid,
  slice,
  softmax,
  square,
  tensor,
  tensor1d,
  tidy,
  tile,
  transpose,
  variable,
  variableGrads,
  where,
  type Scalar,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  type Variable,
} from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-core/dist/register_all_gradients'
import { defaultAdapter } from '../src/protocol/settings.ts'
import { initialParameters } from '../src/core/adapters/parameters.ts'
import { planAdapter } from '../src/core/adapters/plan.ts'
import { linearPath, type Architecture, type LinearRole } from '../src/core/models/architecture.ts'
import { recogniseModel } from '../src/core/models/registry.ts'
import { hasBias, tensorSpecs } from '../src/core/models/tensors.ts'
import { loraNames } from '../src/core/nn/adaptation.ts'
import { ropeTable } from '../src/core/nn/rope.ts'
import { RANK } from './graft.ts'
import { randomIds, randomWeights } from './randomWeights.ts'
import { SHAPES, type ShapeName } from './shapes.ts'

/** Graft's optimizer in the bench: Adam with PyTorch's numbers and no decay. */
const ADAM = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
const SCALE = 2

export class StockStep {
  readonly #a: Architecture
  readonly #frozen = new Map<string, Tensor>()
  readonly #factors = new Map<string, Variable>()
  readonly #optimizer: Optimizer
  readonly #shape: Record<'batch' | 'length', number>
  readonly #constants: { ids: Tensor; labels: Tensor; cos: Tensor; sin: Tensor; future: Tensor }
  readonly #path: (layer: number, role: LinearRole) => string

  private constructor(shape: ShapeName, batch: number, length: number) {
    const { family, architecture: a } = recogniseModel(SHAPES[shape].config)
    if (a.positions.kind !== 'rope')
      throw new Error(`${shape}: only rotary decoders are written in stock ops.`)
    this.#a = a
    this.#shape = { batch, length }
    this.#path = (layer, role) => linearPath(family, layer, role)
    const ids = randomIds(batch, length, a.vocab)
    const { cos, sin } = ropeTable(length, a.headSize, a.positions.tables[0]!)
    this.#constants = {
      ids: tensor1d(ids.flat(), 'int32'),
      labels: tensor1d(
        ids.flatMap((row) => row.slice(1)),
        'int32',
      ), // [B (T - 1)]
      cos: concat([cos, cos], 1), // [T, hd]
      sin: concat([sin, sin], 1),
      future: tensor(
        Uint8Array.from({ length: length * length }, (_, i) => Number(i % length > Math.floor(i / length))),
        [1, 1, length, length],
        'bool',
      ),
    }
    dispose([cos, sin])
    const { learningRate, beta1, beta2, epsilon } = ADAM
    this.#optimizer = OptimizerConstructors.adam(learningRate, beta1, beta2, epsilon)
  }

  /** Puts the base and the adapters on the device of tfjs's current backend. */
  static async load(shape: ShapeName, batch: number, length: number): Promise<StockStep> {
    const step = new StockStep(shape, batch, length)
    const { family, architecture } = recogniseModel(SHAPES[shape].config)
    const source = randomWeights(family, architecture)
    for (const { name, shape: extent } of tensorSpecs(family, architecture))
      step.#frozen.set(name, tensor(await source.read(name), [...extent]))
    const adapter = defaultAdapter({ r: RANK, alpha: SCALE * RANK })
    const plan = planAdapter(family, architecture, adapter, null)
    const none = () => Promise.reject(new Error('LoRA begins without values of the base.'))
    const initial = await initialParameters(plan, adapter, 1, {
      tensor: none,
      rowNorms: none,
      components: none,
    })
    for (const { name, shape: extent, values } of initial) {
      const start = tensor(values, extent)
      step.#factors.set(name, variable(start, true, name))
      start.dispose()
    }
    return step
  }

  /** One optimizer step; the mean cross-entropy before it, for the caller to read or dispose. */
  step(): Tensor {
    const { value, grads } = variableGrads(() => this.#loss(), [...this.#factors.values()])
    this.#optimizer.applyGradients(grads)
    dispose(grads)
    return value
  }

  dispose(): void {
    dispose([...this.#frozen.values(), ...this.#factors.values(), ...Object.values(this.#constants)])
    this.#optimizer.dispose()
  }

  #loss() {
    return tidy(() => {
      const { vocab, layers, hidden } = this.#a
      const { batch, length } = this.#shape
      const table = this.#frozen.get('model.embed_tokens.weight')!
      let x = gather(table, this.#constants.ids) // [N, d]
      for (let layer = 0; layer < layers; layer++) x = this.#block(x, layer)
      const n = reshape(this.#norm(x, 'model.norm'), [batch, length, hidden])
      const rows = reshape(slice(n, [0, 0, 0], [batch, length - 1, hidden]), [-1, hidden]) // [B (T - 1), d]
      const logits = matMul(rows as Tensor2D, table as Tensor2D, false, true) // [B (T - 1), V]
      return losses.softmaxCrossEntropy<Tensor, Scalar>(oneHot(this.#constants.labels, vocab), logits)
    })
  }

  #block(x: Tensor, layer: number): Tensor {
    const at = `model.layers.${layer}`
    const attended = this.#attention(this.#norm(x, `${at}.input_layernorm`), layer)
    const r = add(x, attended)
    const n = this.#norm(r, `${at}.post_attention_layernorm`)
    const gate = this.#linear(n, layer, 'gate')
    const h = mul(mul(gate, sigmoid(gate)), this.#linear(n, layer, 'up')) // [N, f]
    return add(r, this.#linear(h, layer, 'down'))
  }

  #attention(x: Tensor, layer: number): Tensor {
    const { heads, keyValueHeads, headSize, attention } = this.#a
    const { batch, length } = this.#shape
    const split = (y: Tensor, count: number) =>
      transpose(reshape(y, [batch, length, count, headSize]), [0, 2, 1, 3]) // [B, H, T, hd]
    const grouped = (y: Tensor) => {
      const share = heads / keyValueHeads
      const each = reshape(y, [batch * keyValueHeads, 1, length, headSize])
      return reshape(tile(each, [1, share, 1, 1]), [batch, heads, length, headSize])
    }
    const q = this.#rope(split(this.#linear(x, layer, 'q'), heads))
    const k = grouped(this.#rope(split(this.#linear(x, layer, 'k'), keyValueHeads)))
    const v = grouped(split(this.#linear(x, layer, 'v'), keyValueHeads))
    const scores = mul(matMul(q as Tensor4D, k as Tensor4D, false, true), attention.scale) // [B, H, T, T]
    const masked = where(tile(this.#constants.future, [batch, heads, 1, 1]), -1e9, scores)
    const output = matMul(softmax(masked) as Tensor4D, v as Tensor4D) // [B, H, T, hd]
    return this.#linear(
      reshape(transpose(output, [0, 2, 1, 3]), [batch * length, heads * headSize]),
      layer,
      'o',
    )
  }

  /** x [B, H, T, hd] rotated: x cos + rotate_half(x) sin. */
  #rope(x: Tensor): Tensor {
    const half = x.shape[3]! / 2
    const extent = [...x.shape.slice(0, 3), half]
    const turned = concat([neg(slice(x, [0, 0, 0, half], extent)), slice(x, [0, 0, 0, 0], extent)], 3)
    return add(mul(x, this.#constants.cos), mul(turned, this.#constants.sin))
  }

  #norm(x: Tensor, path: string): Tensor {
    const rho = rsqrt(add(mean(square(x), -1, true), this.#a.norm.epsilon))
    return mul(mul(x, rho), this.#frozen.get(`${path}.weight`)!)
  }

  #linear(x: Tensor, layer: number, role: LinearRole): Tensor {
    const path = this.#path(layer, role)
    const { a, b } = loraNames(path)
    const product = (left: Tensor, right: Tensor) => matMul(left as Tensor2D, right as Tensor2D, false, true)
    const y = product(x, this.#frozen.get(`${path}.weight`)!)
    const low = product(product(x, this.#factors.get(a)!), this.#factors.get(b)!)
    const adapted = add(y, mul(low, SCALE))
    return hasBias(this.#a, role) ? add(adapted, this.#frozen.get(`${path}.bias`)!) : adapted
  }
}
