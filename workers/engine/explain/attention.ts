// graft.explain.attention: the probabilities of every head.
import { inspectAttention } from '../../../src/core/explain/inspect.ts'
import { checkIds, inputIds } from '../questions.ts'
import { withTarget, type Explainer } from './desk.ts'

export const attention: Explainer<'attention'> = (desk, target, input, context) =>
  withTarget(desk, target, async (resolved) => {
    const { base, trainable } = resolved
    const ids = inputIds(resolved, input)
    checkIds(ids, base.model.architecture)
    const { layers, heads } = base.model.architecture
    const weights = await desk.turns.take(() =>
      inspectAttention(
        base.model,
        ids,
        trainable,
        base.padId,
        (done) => context.progress({ label: 'Reading attention', done, total: layers, unit: 'items' }),
        context.signal,
      ),
    )
    return { tokens: base.tokenizer.tokens(ids), ids, layers, heads, weights }
  })
