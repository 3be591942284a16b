// graft.explain.ablation: the answer with heads switched off.
import { ablated, type AblationOptions } from '../../../src/core/explain/attention/ablation.ts'
import { answers } from '../../../src/core/explain/answers.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import { HEAD_FILLS, type AblationRequest, type HeadPlace } from '../../../src/protocol/explain.ts'
import { secondsLeft } from '../time.ts'
import { checkOneOf } from './checks.ts'
import { openSubject, withTarget, type Explainer } from './desk.ts'

/** Most likely tokens, before and after, whose probabilities are told. */
const TOLD = 10

export const ablation: Explainer<'ablation'> = (desk, target, request, context) =>
  withTarget(desk, target, async (resolved) => {
    const { layers, heads } = resolved.base.model.architecture
    checkAblation(request, layers, heads)
    const { subject, tokens, output } = await openSubject(desk, resolved, request, request)
    const { ids, explained } = subject
    const { index, contrast, position } = explained
    const fill = request.fill ?? 'zero'
    const started = performance.now()
    const options: AblationOptions = {
      fill,
      signal: context.signal,
      onBatch: (done, total) =>
        context.progress({
          label: 'Switching heads off',
          done,
          total,
          unit: 'items',
          secondsLeft: secondsLeft(started, done, total),
        }),
    }
    const question = { ids, position }
    const shared = { tokens, ids: [...ids], layers, heads, fill, output }
    if (request.heads) {
      const before = await answers(subject, [question], 'all', { signal: context.signal })
      const after = await ablated(subject, question, [request.heads], 'all', options)
      const was = probabilitiesOf(before.logits, before.logSums[0]!)
      const is = probabilitiesOf(after.logits, after.logSums[0]!)
      const value = after.logits[index]! - (contrast === null ? 0 : after.logits[contrast]!)
      const told = resolved.labels
        ? resolved.labels.map((_, at) => at)
        : [...new Set([...mostLikely(was), ...mostLikely(is), index])]
      return {
        ...shared,
        probability: was[index]!,
        off: {
          heads: request.heads,
          value,
          change: value - output.value,
          probabilities: told.map((at) => ({
            name: resolved.labels?.[at] ?? resolved.base.tokenizer.tokens([at])[0]!,
            index: at,
            before: was[at]!,
            after: is[at]!,
          })),
        },
      }
    }
    const places = Array.from({ length: layers * heads }, (_, at): HeadPlace[] => [
      [Math.floor(at / heads), at % heads],
    ])
    const outputs = contrast === null ? [index] : [index, contrast]
    // The empty set is the model with every head on, by the same way.
    const found = await ablated(subject, question, [...places, []], outputs, options)
    const value = (at: number) => {
      const [logit, other = 0] = found.logits.subarray(at * outputs.length, (at + 1) * outputs.length)
      return logit! - other
    }
    const probability = (at: number) => Math.exp(found.logits[at * outputs.length]! - found.logSums[at]!)
    const whole = places.length
    return {
      ...shared,
      probability: probability(whole),
      each: {
        change: Float32Array.from(places, (_, at) => value(at) - value(whole)),
        probability: Float32Array.from(places, (_, at) => probability(at) - probability(whole)),
      },
    }
  })

function checkAblation({ heads: places, fill }: AblationRequest, layers: number, heads: number): void {
  checkOneOf('fill', fill, HEAD_FILLS)
  if (places === undefined) return
  if (!Array.isArray(places) || places.length === 0)
    throw new GraftError(
      'E_ARGUMENT',
      'heads is a list of [layer, head] with at least one of them. Leave it out to switch every head off in turn.',
    )
  const isBelow = (value: unknown, limit: number) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) < limit
  const wrong = places.findIndex(
    (place) =>
      !Array.isArray(place) || place.length !== 2 || !isBelow(place[0], layers) || !isBelow(place[1], heads),
  )
  if (wrong >= 0)
    throw new GraftError(
      'E_ARGUMENT',
      `${JSON.stringify(places[wrong])} is no head: heads are [layer, head], layers go from 0 to ${layers - 1} and heads from 0 to ${heads - 1}.`,
      { layers, heads },
    )
}

function probabilitiesOf(logits: Float32Array, logSum: number): Float64Array {
  return Float64Array.from(logits, (logit) => Math.exp(logit - logSum))
}

/** Indices of the largest, the largest first. */
function mostLikely(probabilities: Float64Array): number[] {
  return Array.from(probabilities.keys())
    .sort((a, b) => probabilities[b]! - probabilities[a]!)
    .slice(0, TOLD)
}
