// What training would cut: rows longer than the longest example, and rows with nothing to learn. With a base's
// tokenizer rows are made into examples as in training; without one, tokens are estimated from characters.
import { learnedCell, taskCells } from '../examples.ts'
import { dropAll, finding, RowList, type Check, type HealthInput } from './check.ts'
import { count, percent, plural } from './say.ts'

/** As training has it. */
export const DEFAULT_LENGTH = 256
/** Rows that are tokenised; of more, as many spread evenly. */
const MEASURED_ROWS = 20_000
/** Characters to a token in texts of Latin letters, as tokenizers of 32,000 to 150,000 tokens have on English. */
const CHARACTERS_PER_TOKEN = 4
/** Characters of these scripts are about a token each. */
const DENSE = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}]/gu

/** A row as an example: how many tokens it would have, and why nothing of it is learnt. */
export interface Measured {
  tokens: number
  truncated: boolean
  problem: string | null
}

export interface Measure {
  /** Name of the base whose tokenizer counts; null for an estimate. */
  model: string | null
  of(cells: readonly string[]): Measured
}

/** Estimates in place of a tokenizer; only for a task whose columns are known. */
export function estimate(input: HealthInput): Measure | null {
  if (!input.config) return null
  const { maxLength = DEFAULT_LENGTH } = input.options
  const cellsOf = taskCells(input.config, input.columns)
  const learned = learnedCell(input.config)
  return {
    model: null,
    of(cells) {
      const row = cellsOf(cells)
      const answer = row[learned]
      const text = Object.entries(row)
        .filter(([role]) => role !== 'label')
        .map(([, cell]) => cell)
        .join(' ')
      const tokens = estimateTokens(text)
      const before = learned === 'completion' ? tokens - estimateTokens(answer) : 0
      const problem =
        answer.trim() === ''
          ? 'There is no text to learn.'
          : before >= maxLength
            ? 'The prompt alone seems longer than an example may be.'
            : null
      return { tokens, truncated: tokens > maxLength, problem }
    },
  }
}

export function estimateTokens(text: string): number {
  const dense = text.match(DENSE)?.length ?? 0
  return Math.ceil(dense + (text.length - dense) / CHARACTERS_PER_TOKEN)
}

export function lengthsCheck(input: HealthInput, given: Measure | null): Check | null {
  const measure = given ?? estimate(input)
  if (!measure) return null
  const { maxLength = DEFAULT_LENGTH } = input.options
  const long = new RowList()
  const empty = new RowList()
  const reasons = new Map<string, number>()
  let looked = 0
  let tokens = 0
  const stride = input.rows / Math.min(input.rows, MEASURED_ROWS)
  return {
    kinds: ['truncation', 'unlearnable'],
    row({ index, cells }) {
      if (Math.floor(looked * stride) !== index) return
      looked++
      const found = measure.of(cells)
      tokens += found.tokens
      if (found.problem !== null) {
        empty.add(index, found.problem)
        reasons.set(found.problem, (reasons.get(found.problem) ?? 0) + 1)
      } else if (found.truncated)
        long.add(index, `${measure.model === null ? 'about ' : ''}${plural(found.tokens, 'token')}`)
    },
    finish() {
      const how =
        measure.model === null
          ? `This is an estimate of ${CHARACTERS_PER_TOKEN} characters to a token, not a count; choose a base to count with its tokenizer.`
          : `Counted with the tokenizer of ${measure.model}.`
      const sampled = looked < input.rows ? ` ${count(looked)} rows were looked at, spread evenly.` : ''
      return [
        ...(empty.count === 0
          ? []
          : [
              finding(input, {
                kind: 'unlearnable',
                severity: 'fix',
                title: `${plural(empty.count, 'row')} (${percent(empty.count / looked)}) with nothing to learn`,
                explanation: `${[...reasons].sort((a, b) => b[1] - a[1])[0]![0]} Such rows are left out of training, or are noise in it. ${how}${sampled}`,
                count: empty.count,
                looked,
                rows: empty.rows,
                remedies: [dropAll(empty)],
              }),
            ]),
        ...(long.count === 0
          ? []
          : [
              finding(input, {
                kind: 'truncation',
                severity: long.count / looked >= 0.05 ? 'fix' : 'check',
                title: `${plural(long.count, 'row')} (${percent(long.count / looked)}) ${long.count === 1 ? 'is' : 'are'} cut at ${count(maxLength)} tokens`,
                explanation: `What is beyond the longest example is never read: the end of a text, or of an answer. Rows have ${count(Math.round(tokens / looked))} tokens in the mean. Raise “Longest example” in Train, or shorten the texts. ${how}${sampled}`,
                count: long.count,
                looked,
                rows: long.rows,
                remedies: [dropAll(long)],
              }),
            ]),
      ]
    },
  }
}
