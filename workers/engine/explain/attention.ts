// graft.explain.attention, rollout and heads: the probabilities of every head, and what they add up to.
import { dispose, type Tensor } from '@tensorflow/tfjs-core'
import { headRows, mapDifference } from '../../../src/core/explain/attention/maps.ts'
import { through } from '../../../src/core/explain/attention/rollout.ts'
import { checkSize, eachAttention, inspectAttention } from '../../../src/core/explain/inspect.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import type {
  AttentionComparison,
  AttentionMaps,
  ExplainInput,
  HeadRow,
} from '../../../src/protocol/explain.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import { checkIds, inputIds } from '../questions.ts'
import type { ResolvedTarget } from '../targets.ts'
import { secondsLeft } from '../time.ts'
import { withTarget, type Desk, type Explainer } from './desk.ts'

export const attention: Explainer<'attention'> = async (desk, target, request, context) => {
  const { compare } = request
  const read = await withTarget(desk, target, async (resolved) => {
    const ids = idsOf(resolved, request)
    const { layers, heads } = resolved.base.model.architecture
    // Both maps and their difference go into one answer.
    if (compare) checkSize(ids.length, 3 * layers * heads * ids.length ** 2)
    const maps = await mapsOf(desk, resolved, ids, context)
    const rows = request.rows ? { rows: rowsOf(resolved, maps) } : {}
    return { model: resolved.base.info.id, maps: { ...maps, ...rows } }
  })
  const { maps } = read
  context.handOver?.(maps.weights.buffer)
  if (!compare) return maps
  const other = await withTarget(desk, compare.target ?? target, (resolved) => {
    // The same text to the same base: the same tokens, also where the two targets would cut it at different lengths.
    const same = compare.input === undefined && resolved.base.info.id === read.model
    const ids = same ? maps.ids : idsOf(resolved, compare.input ?? request)
    return mapsOf(desk, resolved, ids, context, 'Reading attention to compare with')
  })
  const compared = comparison(maps, other)
  context.handOver?.(compared.weights.buffer)
  if (compared.difference) context.handOver?.(compared.difference.buffer)
  return { ...maps, compared }
}

export const rollout: Explainer<'rollout'> = (desk, target, request, context) =>
  withTarget(desk, target, async (resolved) => {
    const { from = 0 } = request
    const { layers } = resolved.base.model.architecture
    if (!Number.isInteger(from) || from < 0 || from >= layers)
      throw new GraftError(
        'E_ARGUMENT',
        `from must be the number of a layer, 0 to ${layers - 1}, but is ${String(from)}.`,
        { from, layers },
      )
    const { base, trainable } = resolved
    const ids = idsOf(resolved, request)
    const started = performance.now()
    let flow: Tensor | null = null
    let weights: Float32Array = new Float32Array(0)
    try {
      await desk.turns.take(() =>
        eachAttention(
          base.model,
          ids,
          trainable,
          base.padId,
          async (probabilities, layer) => {
            if (layer >= from) {
              flow = through(probabilities, flow)
              // Read at each layer, so that the device has done what progress says.
              weights = (await flow.data()) as Float32Array
            }
            context.progress({
              label: 'Following attention through the layers',
              done: layer + 1,
              total: layers,
              unit: 'items',
              secondsLeft: secondsLeft(started, layer + 1, layers),
            })
          },
          context.signal,
        ),
      )
      return { tokens: base.tokenizer.tokens(ids), ids, layers, from, weights }
    } finally {
      dispose(flow ?? [])
    }
  })

export const heads: Explainer<'heads'> = (desk, target, input, context) =>
  withTarget(desk, target, async (resolved) => {
    const maps = await mapsOf(desk, resolved, idsOf(resolved, input), context)
    const { weights: _read, ...rest } = maps
    return { ...rest, rows: rowsOf(resolved, maps) }
  })

function rowsOf({ base }: ResolvedTarget, maps: AttentionMaps): HeadRow[] {
  const { blocks } = base.model.parts
  return headRows(maps.weights, shapeOf(maps), (layer) => blocks[layer]!.attention.parts.mask)
}

/** The tokens of an input, checked. */
function idsOf(resolved: ResolvedTarget, input: ExplainInput): number[] {
  const ids = inputIds(resolved, input)
  checkIds(ids, resolved.base.model.architecture)
  return ids
}

async function mapsOf(
  desk: Desk,
  { base, trainable }: ResolvedTarget,
  ids: number[],
  context: CallContext,
  label = 'Reading attention',
): Promise<AttentionMaps> {
  const { layers, heads } = base.model.architecture
  const started = performance.now()
  const weights = await desk.turns.take(() =>
    inspectAttention(
      base.model,
      ids,
      trainable,
      base.padId,
      (done) =>
        context.progress({
          label,
          done,
          total: layers,
          unit: 'items',
          secondsLeft: secondsLeft(started, done, layers),
        }),
      context.signal,
    ),
  )
  return { tokens: base.tokenizer.tokens(ids), ids, layers, heads, weights }
}

function shapeOf({ layers, heads, ids }: Omit<AttentionMaps, 'weights'>) {
  return { layers, heads, tokens: ids.length }
}

function comparison(maps: AttentionMaps, other: AttentionMaps): AttentionComparison {
  const [ours, theirs] = [shapeOf(maps), shapeOf(other)]
  const alike = ours.layers === theirs.layers && ours.heads === theirs.heads && ours.tokens === theirs.tokens
  return {
    ...other,
    ...(alike ? mapDifference(maps.weights, other.weights, ours) : { difference: null, moved: null }),
  }
}
