// Rows whose length or whose characters are far from the rest: by the modified z-score of Iglewicz & Hoaglin (1993),
// 0.6745 (x - median) / MAD, which outliers themselves do not move.
import { dropAll, finding, RankedRows, textColumns, type Check, type HealthInput } from './check.ts'
import { count, percent, plural } from './say.ts'

/** Iglewicz & Hoaglin advise 3.5; lengths of texts have longer tails than a normal distribution, even as logarithms. */
const LENGTH_Z = 5
const CHARACTER_Z = 6
/** Shares of characters must also differ by this much: where all are alike, a hair is many MADs. */
const SHARE_LEAST = 0.25
/** Least MAD of the logarithm of length, for sets whose rows are all of one length. */
const LENGTH_MAD_LEAST = 0.1
const SHARE_MAD_LEAST = 0.02
/** Rows needed to speak of the rest. */
const ROWS_LEAST = 20
/** A character's share says nothing in texts shorter than this. */
const CHARACTERS_LEAST = 12

export function lengthCheck(input: HealthInput): Check | null {
  if (input.texts.length === 0) return null
  const lengths = new Uint32Array(input.rows)
  return {
    kinds: ['lengthOutliers'],
    row(row) {
      lengths[row.index] = row.text.trim().length
    },
    finish() {
      let filled = 0
      const all = new Float32Array(lengths.length)
      for (let row = 0; row < lengths.length; row++)
        if (lengths[row]! > 0) all[filled++] = Math.log(lengths[row]!)
      const logs = all.subarray(0, filled)
      if (logs.length < ROWS_LEAST) return []
      const { median, mad } = centre(logs)
      const spread = Math.max(mad, LENGTH_MAD_LEAST)
      const list = new RankedRows()
      let short = 0
      for (let row = 0; row < lengths.length; row++) {
        const length = lengths[row]!
        if (length === 0) continue
        const z = (0.6745 * (Math.log(length) - median)) / spread
        if (Math.abs(z) < LENGTH_Z) continue
        if (z < 0) short++
        list.add(row, Math.abs(z), () => plural(length, 'character'))
      }
      if (list.count === 0) return []
      const usual = Math.round(Math.exp(median))
      // Below the bound, so that what is cut to it is no outlier any more.
      const longest = Math.ceil(Math.exp(median + (LENGTH_Z * spread) / 0.6745)) - 1
      const long = list.count - short
      return [
        finding(input, {
          kind: 'lengthOutliers',
          severity: 'check',
          title: `${plural(list.count, 'row')} much ${short === 0 ? 'longer' : long === 0 ? 'shorter' : 'longer or shorter'} than the rest`,
          explanation: `Half of the texts have at most ${plural(usual, 'character')}; ${count(long)} of these are far longer, ${count(short)} far shorter (more than ${LENGTH_Z} robust deviations). Very long rows are cut at the longest example; very short ones often hold no answer.`,
          count: list.count,
          rows: list.rows,
          remedies: [
            ...(long > 0
              ? [
                  {
                    label: `Cut to ${count(longest)} characters`,
                    steps: [
                      {
                        kind: 'truncate' as const,
                        columns: textColumns(input),
                        unit: 'characters' as const,
                        limit: longest,
                      },
                    ],
                  },
                ]
              : []),
            dropAll(list),
          ],
        }),
      ]
    },
  }
}

const KINDS = [
  ['digits', /\p{N}/gu],
  ['signs', /[^\p{L}\p{M}\p{N}\s]/gu],
  ['capitals', /\p{Lu}/gu],
] as const
/** Characters of a text that are counted. */
const COUNTED = 4000

export function charactersCheck(input: HealthInput): Check | null {
  if (input.texts.length === 0) return null
  const shares = KINDS.map(() => new Uint8Array(input.rows))
  const long = new Uint8Array(input.rows)
  return {
    kinds: ['characterOutliers'],
    row(row) {
      const text = row.text.length > COUNTED ? row.text.slice(0, COUNTED) : row.text
      const counts = countKinds(text)
      if (counts.total < CHARACTERS_LEAST) return
      long[row.index] = 1
      for (let kind = 0; kind < KINDS.length; kind++)
        shares[kind]![row.index] = Math.round((255 * counts.of[kind]!) / counts.total)
    },
    finish() {
      const list = new RankedRows()
      const judged = long.reduce((rows, one) => rows + one, 0)
      if (judged < ROWS_LEAST) return []
      const rests = shares.map((all) => {
        const values = new Float32Array(judged)
        let size = 0
        for (let row = 0; row < all.length; row++) if (long[row] === 1) values[size++] = all[row]! / 255
        return centre(values)
      })
      /** How far a row is from the rest in a kind; 0 where that is not far. */
      const rank = (kind: number, row: number): number => {
        const above = shares[kind]![row]! / 255 - rests[kind]!.median
        const z = (0.6745 * above) / Math.max(rests[kind]!.mad, SHARE_MAD_LEAST)
        return z < CHARACTER_Z || above < SHARE_LEAST ? 0 : z
      }
      for (let kind = 0; kind < KINDS.length; kind++)
        for (let row = 0; row < long.length; row++) {
          if (long[row] === 0 || rank(kind, row) === 0) continue
          // A row of several kinds is told once, with the one in which it is farthest.
          const ranks = KINDS.map((_, of) => rank(of, row))
          if (ranks.some((z, of) => of < kind && z > 0)) continue
          const best = ranks.indexOf(Math.max(...ranks))
          list.add(row, ranks[best]!, () => `${percent(shares[best]![row]! / 255)} ${KINDS[best]![0]}`)
        }
      if (list.count === 0) return []
      return [
        finding(input, {
          kind: 'characterOutliers',
          severity: 'check',
          title: `${plural(list.count, 'row')} of unusual characters`,
          explanation:
            'Far more digits, signs or capitals than in the other rows: tables, code, lists of numbers, or texts in capitals among sentences. If they do not belong to the task, they teach the wrong thing.',
          count: list.count,
          rows: list.rows,
          remedies: [dropAll(list)],
        }),
      ]
    },
  }
}

/** How many characters are digits, signs and capitals, of those that are no white space. */
function countKinds(text: string): { of: number[]; total: number } {
  const of = [0, 0, 0]
  let total = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code <= 0x20 || code === 0xa0) continue
    // The rest of a surrogate pair is no character of its own.
    if (code >= 0xdc00 && code <= 0xdfff) continue
    total++
    if (code >= 48 && code <= 57) of[0]!++
    else if (code >= 65 && code <= 90) of[2]!++
    else if (code >= 97 && code <= 122) continue
    else {
      const character = String.fromCodePoint(text.codePointAt(i)!)
      const kind = KINDS.findIndex(([, pattern]) => character.search(pattern) === 0)
      if (kind >= 0) of[kind]!++
    }
  }
  return { of, total }
}

/** Median, and median of the absolute differences from it. The values are sorted in place. */
export function centre(values: Float32Array): { median: number; mad: number } {
  const median = middle(values)
  const mad = middle(values.map((value) => Math.abs(value - median)))
  return { median, mad }
}

function middle(values: Float32Array): number {
  values.sort()
  const half = values.length >> 1
  return values.length % 2 === 1 ? values[half]! : (values[half - 1]! + values[half]!) / 2
}
