// graft.explain.counterfactual: the fewest pieces without which, or with other words in the place of which, the answer is
// another.
import { answers } from '../../../src/core/explain/answers.ts'
import { COUNTERFACTUAL_DEFAULTS, minimalEdits } from '../../../src/core/explain/counterfactual.ts'
import { decider } from '../../../src/core/explain/decisions.ts'
import { flipsOf } from '../../../src/core/explain/hotflip.ts'
import type { Question } from '../../../src/core/explain/answers.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import {
  EDIT_KINDS,
  type CounterfactualRequest,
  type CounterfactualResult,
  type Edit,
  type MinimalEdit,
} from '../../../src/protocol/explain.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import { explainedPosition, inputIds } from '../questions.ts'
import type { ResolvedTarget } from '../targets.ts'
import { secondsLeft } from '../time.ts'
import { checkCount, checkOneOf, checkPieces } from './checks.ts'
import { withTarget, type Desk, type Explainer } from './desk.ts'
import { asking, openPieces, type Pieces } from './pieces.ts'
import { typedText, withText, type KeptToken } from './typed.ts'
import { wordList } from './words.ts'

/** Outputs whose margin is lowered: those that are nearest to winning. */
const RIVALS = 3
/** Texts with one word replaced that are tried. */
const SINGLE_TRIES = 600
/** Words tried in one place at least, and at most. */
const FEWEST_WORDS = 3
const MOST_WORDS = 30

interface Found {
  margin: number
  edits: (MinimalEdit & { text: string; words?: string[] })[]
  exhaustive: boolean
  words?: CounterfactualResult['words']
}

export const counterfactual: Explainer<'counterfactual'> = (desk, target, request, context) => {
  const { edit = 'remove', flips, count } = request
  checkPieces(request)
  checkOneOf('edit', edit, EDIT_KINDS)
  checkCount('flips', flips, 1, 3)
  checkCount('count', count, 1, 100)
  if (edit === 'replace' && request.granularity === 'sentence')
    throw new GraftError(
      'E_ARGUMENT',
      'Sentences cannot be replaced, only words and tokens. Set granularity to "word", or edit to "remove".',
    )
  return withTarget(desk, target, async (resolved) => {
    const pieces = await openPieces(desk, resolved, request, {})
    const { units, masking, output, granularity } = pieces
    const { margin, edits, exhaustive, words } =
      edit === 'remove'
        ? await removals(resolved, pieces, request, context)
        : await replacements(desk, resolved, pieces, request, context)
    const { tokenizer } = resolved.base
    const nameOf = (index: number) => resolved.labels?.[index] ?? tokenizer.tokens([index])[0]!
    const typed = await typedAnswers(resolved, pieces, request, edits, context)
    return {
      edit,
      pieces: units,
      edits: edits.map((found, i): Edit => {
        const read = typed[i]
        return {
          ...found,
          name: nameOf(found.output),
          typed: read === null || read === undefined ? null : { output: read, name: nameOf(read) },
        }
      }),
      output,
      margin,
      exhaustive,
      ...(words && { words }),
      granularity,
      replacement: masking.replacement,
    }
  })
}

async function removals(
  { base: { tokenizer } }: ResolvedTarget,
  { subject, units, masking, output }: Pieces,
  { flips = COUNTERFACTUAL_DEFAULTS.flips, count = COUNTERFACTUAL_DEFAULTS.count }: CounterfactualRequest,
  context: CallContext,
): Promise<Found> {
  const decide = decider(subject, output.index, asking(context, 'Taking pieces away'))
  const stays = (gone: readonly number[]) => Uint8Array.from(units, (_, unit) => Number(!gone.includes(unit)))
  const found = await minimalEdits(
    units.length,
    (sets) => decide(sets.map((gone) => masking.masked(stays(gone)))),
    { flips, count },
  )
  const text = (gone: readonly number[]) =>
    typedText(
      tokenizer,
      subject.ids.flatMap((id, t): KeptToken[] =>
        gone.some((unit) => t >= units[unit]!.from && t < units[unit]!.to)
          ? []
          : [{ id, fixed: subject.fixed[t] === 1 }],
      ),
    )
  return { ...found, edits: found.edits.map((edit) => ({ ...edit, text: text(edit.units) })) }
}

/** Every text that is tried is one that can be typed: it is asked as the tokenizer reads it. */
async function replacements(
  desk: Desk,
  resolved: ResolvedTarget,
  { subject, tokens, units, output }: Pieces,
  request: CounterfactualRequest,
  context: CallContext,
): Promise<Found> {
  const { flips = COUNTERFACTUAL_DEFAULTS.flips, count = COUNTERFACTUAL_DEFAULTS.count } = request
  const { tokenizer } = resolved.base
  const list = await wordList(desk, resolved, tokens)
  const { logits } = await answers(
    subject,
    [{ ids: subject.ids, position: subject.explained.position }],
    'all',
  )
  const rivals = Array.from(logits, (_, index) => index)
    .filter((index) => index !== output.index)
    .sort((a, b) => logits[b]! - logits[a]!)
    .slice(0, RIVALS)
  const started = performance.now()
  const each = Math.min(MOST_WORDS, Math.max(FEWEST_WORDS, Math.floor(SINGLE_TRIES / units.length)))
  const flipped = await flipsOf(subject, units, {
    rivals,
    words: units.map((unit) => list.of(unit)),
    each,
    signal: context.signal,
    onRows: (done, total) =>
      context.progress({
        label: 'Looking for words',
        done,
        total,
        unit: 'items',
        secondsLeft: secondsLeft(started, done, total),
      }),
  })
  const textOf = (set: readonly number[]) => {
    const made = new Map(set.map((change) => [flipped[change]!.unit, flipped[change]!.id]))
    const inside = (t: number) => units.findIndex(({ from, to }) => t >= from && t < to)
    return typedText(
      tokenizer,
      subject.ids.flatMap((id, t): KeptToken[] => {
        const unit = inside(t)
        const fixed = subject.fixed[t] === 1
        const other = made.get(unit)
        if (other === undefined) return [{ id, fixed }]
        return t === units[unit]!.from ? [{ id: other, fixed: false }] : []
      }),
    )
  }
  const decide = decider(subject, output.index, asking(context, 'Trying other words'))
  const { margin, edits } = await minimalEdits(
    flipped.length,
    (sets) =>
      decide(
        sets.map((set) =>
          set.length === 0
            ? { ids: subject.ids, position: subject.explained.position }
            : questionOf(resolved, request, textOf(set)),
        ),
      ),
    { flips, count, pieces: flipped.map(({ unit }) => unit) },
  )
  return {
    margin,
    edits: edits.map((edit) => {
      const made = edit.units.map((change) => flipped[change]!).toSorted((a, b) => a.unit - b.unit)
      return {
        ...edit,
        units: made.map(({ unit }) => unit),
        words: made.map(({ id }) => tokenizer.tokens([id])[0]!.trim()),
        text: textOf(edit.units),
      }
    }),
    exhaustive: false,
    words: { count: list.count, fromRows: list.fromRows },
  }
}

function questionOf(resolved: ResolvedTarget, request: CounterfactualRequest, text: string): Question {
  const ids = inputIds(resolved, withText(request, text))
  return { ids, position: explainedPosition(resolved, ids) }
}

/** The answer to each edit's text as it is read afresh; null where nothing is left to read. */
async function typedAnswers(
  resolved: ResolvedTarget,
  { subject, output }: Pieces,
  request: CounterfactualRequest,
  edits: readonly { text: string }[],
  { signal }: CallContext,
): Promise<(number | null)[]> {
  const readable = edits.filter(({ text }) => text !== '')
  const questions = readable.map(({ text }) => questionOf(resolved, request, text))
  const decisions = await decider(subject, output.index, { signal })(questions)
  return edits.map((edit) => (edit.text === '' ? null : decisions[readable.indexOf(edit)]!.output))
}
