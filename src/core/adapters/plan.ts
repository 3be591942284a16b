// What a run trains: which linear layers get factors beside them, with which rank and scale, and which tensors of the base
// (or of a new classifier) are trained whole. Who is meant by a name is decided as PEFT decides it (tuners_utils.py).
import { GraftError } from '../../protocol/errors.ts'
import type { AdapterConfig } from '../../protocol/run.ts'
import { linearPath, linearShapes, type Architecture, type Family } from '../models/architecture.ts'
import { tensorSpecs, type TensorSpec } from '../models/tensors.ts'
import { endsWith, isTargeted, isWhole, patternValue } from './targets.ts'

/** A linear layer with an adapter beside it. */
export interface AdaptedLayer {
  path: string
  /** [out, in] */
  shape: readonly [number, number]
  /** Block, or Infinity for the layers of a classifier. */
  layer: number
  r: number
  /** alpha / r, or alpha / sqrt(r) */
  scale: number
}

/** A tensor that is trained whole. */
export interface SavedTensor {
  /** As in the base's checkpoint, with its prefix. */
  name: string
  /** In the engine's orientation. */
  shape: readonly number[]
  /** Where its first values come from: the base, or a normal distribution (a new layer). */
  start: 'base' | 'new'
  /** Stored the other way round in checkpoints. */
  transposed: boolean
  layer: number
}

export interface AdapterPlan {
  layers: readonly AdaptedLayer[]
  saved: readonly SavedTensor[]
  /** The lowest block with something to train (nn/adaptation.ts). */
  lowest: number
}

/** Module paths of every linear layer that an adapter may stand beside, in the order of the computation. */
export function linearLayers(family: Family, a: Architecture, classify: boolean) {
  const blocks = Array.from({ length: a.layers }, (_, layer) =>
    [...linearShapes(family, a)].map(([role, shape]) => ({
      path: linearPath(family, layer, role),
      shape,
      layer,
    })),
  ).flat()
  const above = classify
    ? family.classifier.layers
        .filter(({ base }) => base)
        .map(({ path }) => ({ path, shape: [a.hidden, a.hidden] as [number, number], layer: Infinity }))
    : []
  return [...blocks, ...above]
}

/** The last parts of the paths of all linear layers: what people name as targets. */
export function targetNames(family: Family): string[] {
  return [...new Set(Object.values(family.names.linears).map((path) => path.split('.').at(-1)!))]
}

/**
 * `bare`: the checkpoint came without the layers that a classifier may take from the base (BERT's pooler).
 * Throws E_ARGUMENT where a target, pattern or module is not there, or nothing would be trained.
 */
export function planAdapter(
  family: Family,
  a: Architecture,
  config: AdapterConfig,
  labels: number | null,
  bare = false,
): AdapterPlan {
  checkStart(config)
  const classify = labels !== null
  const specs = tensorSpecs(family, a).filter(
    ({ group, layer, name }) =>
      (group === 'needed' &&
        !(classify && layer === Infinity && name === `${family.names.head.path}.weight`)) ||
      (group === 'classifier' && classify && !bare),
  )
  const layers = config.method === 'lora' ? adaptedLayers(family, a, config, classify && !bare) : []
  const saved = [
    ...specs.filter((spec) => isSaved(spec, config, a, layers)).map(savedSpec),
    ...(labels === null ? [] : classifierTensors(family, a, labels, bare)),
  ]
  if (layers.length + saved.length === 0)
    throw new GraftError(
      'E_ARGUMENT',
      config.method === 'head'
        ? 'The method "head" trains only a classification head, and this task has none. Use the method "lora".'
        : 'These settings leave nothing to train. Name at least one layer as a target.',
    )
  for (const module of config.modulesToSave)
    checkModule(module, a.tiedHead, family.names.head.path, [...specs, ...saved])
  return { layers, saved, lowest: Math.min(...[...layers, ...saved].map(({ layer }) => layer)) }
}

function adaptedLayers(
  family: Family,
  a: Architecture,
  config: AdapterConfig,
  classify: boolean,
): AdaptedLayer[] {
  const { targets, layersToTransform } = config
  const all = linearLayers(family, a, classify)
  if (typeof targets !== 'string')
    for (const target of targets)
      if (!all.some(({ path }) => endsWith(path, target)))
        throw new GraftError(
          'E_ARGUMENT',
          `adapter.targets names ${target}, which this model has not. It has: ${targetNames(family).join(', ')}.`,
          { target },
        )
  const targeted = all.filter(({ path, layer }) => isTargeted(path, layer, config))
  if (targeted.length === 0)
    throw new GraftError(
      'E_ARGUMENT',
      `No linear layer of this model is meant by adapter.targets ${JSON.stringify(targets)}` +
        `${layersToTransform?.length ? ` in the layers ${layersToTransform.join(', ')}` : ''}. It has: ${targetNames(family).join(', ')}.`,
    )
  return targeted.map(({ path, shape, layer }) => {
    const r = patternValue('rankPattern', config.rankPattern, path) ?? config.r
    const alpha = patternValue('alphaPattern', config.alphaPattern, path) ?? config.alpha
    if (config.initLoraWeights === 'pissa' && r > Math.min(...shape))
      throw new GraftError(
        'E_ARGUMENT',
        `PiSSA takes at most ${Math.min(...shape)} principal components of ${path}, but the rank is ${r}. Lower the rank.`,
        { layer: path },
      )
    return { path, shape, layer, r, scale: alpha / (config.useRslora ? Math.sqrt(r) : r) }
  })
}

function isSaved(
  spec: TensorSpec,
  { method, topLayers, modulesToSave, bias }: AdapterConfig,
  a: Architecture,
  adapted: readonly AdaptedLayer[],
): boolean {
  const module = moduleOf(spec.name)
  if (method === 'full') return true
  if (method === 'layers') return spec.layer >= Math.max(0, a.layers - topLayers)
  if (method === 'head') return false
  if (isWhole(module, modulesToSave)) return true
  if (!spec.name.endsWith('.bias')) return false
  return bias === 'all' || (bias === 'lora_only' && adapted.some(({ path }) => path === module))
}

function savedSpec({ name, shape, transposed, layer }: TensorSpec): SavedTensor {
  return { name, shape, transposed, layer, start: 'base' }
}

/** What a classifier owns. */
function classifierTensors(family: Family, a: Architecture, labels: number, bare: boolean): SavedTensor[] {
  return family.classifier.layers
    .filter(({ base }) => !base || bare)
    .flatMap(({ path, out, bias }) => {
      const rows = out === 'labels' ? labels : a.hidden
      const tensor = { start: 'new' as const, transposed: false, layer: Infinity }
      return [
        { ...tensor, name: `${path}.weight`, shape: [rows, a.hidden] },
        ...(bias ? [{ ...tensor, name: `${path}.bias`, shape: [rows] }] : []),
      ]
    })
}

/** Module path of a tensor. */
export function moduleOf(tensor: string): string {
  return tensor.replace(/\.(weight|bias)$/, '')
}

/** PiSSA begins with a part of the base that DoRA's norms would have to be taken of; PEFT cannot convert the two either. */
function checkStart({ method, initLoraWeights, useDora }: AdapterConfig): void {
  if (method === 'lora' && initLoraWeights === 'pissa' && useDora)
    throw new GraftError(
      'E_ARGUMENT',
      "PiSSA and DoRA do not go together: PEFT's conversion to plain LoRA would lose the magnitudes. Switch one of them off.",
    )
}

function checkModule(
  module: string,
  tied: boolean,
  head: string,
  tensors: readonly { name: string }[],
): void {
  if (tensors.some(({ name }) => isWhole(moduleOf(name), [module]))) return
  const shared = tied && isWhole(head, [module])
  throw new GraftError(
    'E_ARGUMENT',
    shared
      ? `adapter.modulesToSave names ${module}, but the output head of this model is its token table. Name that instead, or neither.`
      : `adapter.modulesToSave names ${module}, which this model has not.`,
    { module },
  )
}
