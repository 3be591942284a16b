// From the description of an architecture and its tensors to layers.
import type { Tensor } from '@tensorflow/tfjs-core'
import { Attention, type Projections } from '../nn/attention.ts'
import { Block, type BlockNorms } from '../nn/block.ts'
import { ClassifierHead, LanguageHead } from '../nn/heads.ts'
import { Inputs } from '../nn/inputs.ts'
import { Linear } from '../nn/linear.ts'
import { Mlp } from '../nn/mlp.ts'
import { Norm } from '../nn/norm.ts'
import { ropeTable } from '../nn/rope.ts'
import type { FrozenMatrix } from '../ops/matrix.ts'
import type { Ops, RopeTable } from '../ops/ops.ts'
import { linearPath, type Architecture, type Family, type LinearRole, type NormRole } from './architecture.ts'
import { Transformer } from './transformer.ts'

/** What was loaded, by the names of tensors.ts. */
export interface LoadedTensors {
  matrices: Map<string, FrozenMatrix>
  vectors: Map<string, Tensor>
}

export function buildTransformer(
  family: Family,
  a: Architecture,
  { matrices, vectors }: LoadedTensors,
  ops: Ops,
): Transformer {
  const { names } = family
  const { linear, norm } = makers(a, { matrices, vectors })
  const ropes =
    a.positions.kind === 'rope'
      ? a.positions.tables.map((settings) => ropeTable(a.context, a.headSize, settings))
      : []
  const blocks = Array.from({ length: a.layers }, (_, layer) =>
    buildLayer(family, a, layer, { matrices, vectors }, ropes),
  )

  const tokens = matrices.get(`${names.tokens}.weight`)!
  const inputs = new Inputs({
    name: `${names.tokens}.weight`,
    tokens,
    scale: a.inputs.scale,
    ...(a.positions.kind === 'learned' && {
      positions: {
        name: `${names.positions!}.weight`,
        table: vectors.get(`${names.positions!}.weight`)!,
        offset: a.positions.offset,
      },
    }),
    ...(a.inputs.types > 0 && {
      types: { name: `${names.types!}.weight`, table: vectors.get(`${names.types!}.weight`)! },
    }),
    ...(a.inputs.norm && { norm: norm(names.inputNorm!) }),
  })
  return new Transformer(family, a, ops, {
    inputs,
    blocks,
    finalNorm: a.finalNorm ? norm(names.finalNorm!) : null,
    head: buildHead(family, a, tokens, matrices, vectors, linear, norm),
    classifier: new ClassifierHead(
      family.classifier.layers.map(({ path, bias, act, base }) => {
        const stored = base === true && matrices.has(`${path}.weight`)
        return {
          ...(stored
            ? { kind: 'base' as const, linear: linear(path) }
            : { kind: 'own' as const, path, bias }),
          ...(act && { act }),
        }
      }),
    ),
    ropes,
  })
}

/** The block of one layer, from tensors among which are its own. */
export function buildLayer(
  family: Family,
  a: Architecture,
  layer: number,
  loaded: LoadedTensors,
  ropes: RopeTable[],
): Block {
  const { linear, norm } = makers(a, loaded)
  const { names } = family
  const role = (name: LinearRole) => linear(linearPath(family, layer, name))
  const rolesNorm = (name: NormRole) => norm(`${names.block(layer)}.${names.norms[name]!}`)
  return buildBlock(family, a, layer, role, rolesNorm, ropes)
}

function makers(a: Architecture, { matrices, vectors }: LoadedTensors) {
  return {
    linear: (path: string) => new Linear(path, matrices.get(`${path}.weight`)!, vectors.get(`${path}.bias`)),
    norm: (path: string) =>
      new Norm(path, a.norm, vectors.get(`${path}.weight`)!, vectors.get(`${path}.bias`)),
  }
}

function buildBlock(
  family: Family,
  a: Architecture,
  layer: number,
  linear: (role: LinearRole) => Linear,
  norm: (role: NormRole) => Norm,
  ropes: RopeTable[],
): Block {
  const { linears } = family.names
  const projections: Projections = linears.qkv
    ? { qkv: linear('qkv') }
    : { q: linear('q'), k: linear('k'), v: linear('v') }
  const { scale, causal, windows, headNorm } = a.attention
  const attention = new Attention(a, {
    projections,
    output: linear('o'),
    mask: { scale, causal, window: windows[layer] ?? null },
    ...(headNorm && { headNorms: { q: norm('query'), k: norm('key') } }),
    ...(a.positions.kind === 'rope' && { rope: ropes[a.positions.byLayer[layer]!]! }),
  })
  const mlp = new Mlp(a.mlp.act, {
    ...(a.mlp.gated && { gate: linear('gate') }),
    up: linear('up'),
    down: linear('down'),
  })
  return new Block(attention, mlp, blockNorms(a, norm))
}

function blockNorms({ order }: Architecture, norm: (role: NormRole) => Norm): BlockNorms {
  switch (order) {
    case 'pre':
      return { order, attention: norm('attention'), mlp: norm('mlp') }
    case 'post':
      return { order, attentionOut: norm('attentionOut'), mlpOut: norm('mlpOut') }
    case 'sandwich':
      return {
        order,
        attention: norm('attention'),
        attentionOut: norm('attentionOut'),
        mlp: norm('mlp'),
        mlpOut: norm('mlpOut'),
      }
    default:
      return order satisfies never
  }
}

/** Null where the checkpoint of an encoder came without its language head. */
function buildHead(
  family: Family,
  a: Architecture,
  tokens: FrozenMatrix,
  matrices: Map<string, FrozenMatrix>,
  vectors: Map<string, Tensor>,
  linear: (path: string) => Linear,
  norm: (path: string) => Norm,
): LanguageHead | null {
  const { head, tokens: table } = family.names
  const name = `${a.tiedHead ? table : head.path}.weight`
  const matrix = a.tiedHead ? tokens : matrices.get(name)
  const bias = head.bias === undefined ? undefined : vectors.get(head.bias)
  const whole = head.transform === undefined || matrices.has(`${head.transform.dense}.weight`)
  if (!matrix || !whole || (head.bias !== undefined && !bias)) return null
  return new LanguageHead({
    name,
    matrix,
    tied: a.tiedHead,
    ...(bias && { bias }),
    ...(head.transform && {
      transform: {
        dense: linear(head.transform.dense),
        act: head.transform.act ?? a.mlp.act,
        norm: norm(head.transform.norm),
      },
    }),
  })
}
