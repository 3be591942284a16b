// graft.explain.logitLens: what each layer would answer if it were the last one.
import { logitLens as lensOf } from '../../../src/core/explain/layers/lens.ts'
import { answerPosition } from '../../../src/core/explain/subject.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import { checkIds, inputIds } from '../questions.ts'
import { secondsLeft } from '../time.ts'
import { outputIndex, withTarget, type Explainer } from './desk.ts'
import { checkCount } from './checks.ts'

const TOP = 5
const TOP_LIMIT = 100

export const logitLens: Explainer<'logitLens'> = (desk, target, request, context) =>
  withTarget(desk, target, async (resolved) => {
    const { base, trainable, labels } = resolved
    const { model, tokenizer, padId } = base
    const k = request.k ?? TOP
    checkCount('k', k, 1, TOP_LIMIT)
    const ids = inputIds(resolved, request)
    checkIds(ids, model.architecture)
    const output = outputIndex(request.output, resolved, labels?.length ?? model.architecture.vocab)
    // A missing head is said before anything is computed.
    if (!labels) void model.head
    const readsOne = labels !== null && model.architecture.kind === 'encoder'
    const positions =
      request.positions ??
      (readsOne ? [answerPosition({ model, trainable }, ids.length)] : ids.map((_, t) => t))
    checkPositions(positions, ids.length)
    const started = performance.now()
    const { followed, topIds, ...lens } = await lensOf(
      { model, trainable, turns: desk.turns, padId, maskId: tokenizer.maskId },
      ids,
      {
        positions,
        k,
        output,
        onLayer: (done) => {
          const total = model.architecture.layers + 1
          context.progress({
            label: 'Reading layers',
            done,
            total,
            unit: 'items',
            secondsLeft: secondsLeft(started, done, total),
          })
        },
        signal: context.signal,
      },
    )
    const names = (indices: Int32Array) =>
      labels ? Array.from(indices, (index) => labels[index]!) : tokenizer.tokens([...indices])
    const followedNames = names(followed)
    return {
      tokens: tokenizer.tokens(ids),
      ids,
      layers: model.architecture.layers,
      positions: [...positions],
      followed: Array.from(followed, (index, p) => ({ name: followedNames[p]!, index })),
      topIds,
      topNames: names(topIds),
      ...lens,
    }
  })

function checkPositions(positions: readonly number[], length: number): void {
  const wrong = positions.find((at) => !Number.isInteger(at) || at < 0 || at >= length)
  if (positions.length === 0 || wrong !== undefined)
    throw new GraftError(
      'E_ARGUMENT',
      positions.length === 0
        ? 'positions names no token. Leave it out for all of them.'
        : `${wrong} is no position of this text; its ${length} tokens are numbered from 0 to ${length - 1}.`,
    )
}
