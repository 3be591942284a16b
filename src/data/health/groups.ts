// Who is spoken of, and beside which labels: mentions of groups by a lexicon, with confidence intervals, so that "twice
// as often" over six rows is not taken for a finding.
import type { DemographicGroup, Finding, IntervalChart, Remedy } from '../../protocol/health.ts'
import { finding, NO_LABEL, replacing, RowList, type Check, type HealthInput } from './check.ts'
import { normalQuantile, wilson } from './intervals.ts'
import { GROUPS } from './lexicon.ts'
import { percent, plural, some } from './say.ts'

/** Classes of a chart; the largest ones. */
const LABELS_SHOWN = 12
/** Rows of a label without which its share is no more than a guess. */
const LABEL_ROWS = 10
/** Chance, over all comparisons together, that a difference that is none is called one. */
const ALPHA = 0.05

export function groupsCheck(input: HealthInput): Check | null {
  if (input.texts.length === 0) return null
  const groups = input.options.groups ?? GROUPS
  const finder = new Mentions(groups.map(({ words }) => words))
  const rows = groups.map(() => 0)
  /** Mentions by group and label. */
  const byLabel = groups.map((): number[] => [])
  const lists = groups.map(() => new RowList())
  let mentions = 0
  return {
    kinds: ['groups'],
    row(row) {
      const found = finder.in(row.words)
      if (found.size === 0) return
      for (const [group, word] of found) {
        rows[group]!++
        lists[group]!.add(row.index, `${groups[group]!.name} (“${word}”)`)
        if (row.label !== NO_LABEL) byLabel[group]![row.label] = (byLabel[group]![row.label] ?? 0) + 1
      }
      mentions++
    },
    finish: () => (mentions === 0 ? [] : [describe()]),
  }

  function describe(): Finding {
    const { names, counts, tooMany } = input.labels
    const order = groups.map((_, i) => i).sort((a, b) => rows[b]! - rows[a]!)
    const mentioned = order.filter((group) => rows[group]! > 0)
    const labelled = counts.reduce((sum, number) => sum + number, 0)
    const judged = input.label !== null && !tooMany && names.length >= 2
    const uneven: { group: number; label: number }[] = []
    if (judged) {
      const z = -normalQuantile(ALPHA / 2 / (mentioned.length * names.length))
      for (const group of mentioned) {
        const all = byLabel[group]!.reduce((sum, number = 0) => sum + number, 0)
        for (let label = 0; label < names.length; label++)
          if (Math.abs(difference(byLabel[group]![label] ?? 0, counts[label]!, all, labelled)) > z)
            uneven.push({ group, label })
      }
    }
    const largest = names
      .map((_, label) => label)
      .filter((label) => counts[label]! >= LABEL_ROWS)
      .sort((a, b) => counts[b]! - counts[a]!)
      .slice(0, LABELS_SHOWN)
    const charted = [...new Set(uneven.map(({ group }) => group))]
    const charts = charted.map((group): IntervalChart => {
      const odd = uneven.filter((one) => one.group === group).map(({ label }) => label)
      const shown = [...new Set([...odd, ...largest])].slice(0, LABELS_SHOWN)
      return {
        title: `Rows that mention ${groups[group]!.name}, by label`,
        intervals: shown.map((label) => {
          const count = byLabel[group]![label] ?? 0
          return {
            label: names[label]!,
            share: count / counts[label]!,
            ...wilson(count, counts[label]!),
            count,
            of: counts[label]!,
          }
        }),
      }
    })
    const shown = together(uneven.length ? charted.map((group) => lists[group]!) : lists)
    const said = [...new Set(uneven.map(({ group }) => groups[group]!.name))]
    return finding(input, {
      kind: 'groups',
      severity: uneven.length ? 'check' : 'know',
      title: uneven.length
        ? `Mentions of ${some(said, 2)} differ from label to label`
        : `${plural(mentions, 'row')} (${percent(mentions / input.rows)}) mention groups of people`,
      explanation: uneven.length
        ? `In ${plural(uneven.length, 'case')} the share of rows that mention a group differs between a label and the rest by more than chance (95% over all comparisons). The model may learn the group as a reason for the label. Mentions are counted by a short list of words, which you can edit.`
        : `Mentions are counted by a short list of words, which you can edit. ${judged ? 'None is clearly tied to a label.' : 'Who is missing here, the model knows only from its base.'}`,
      // Of a very large set only the first rows of each group are known by number.
      count: uneven.length ? Math.max(shown.count, ...charted.map((group) => lists[group]!.count)) : mentions,
      rows: shown.rows,
      charts,
      remedies: uneven.length ? [unnamed(input, groups, charted)] : [],
      table: {
        columns: ['Group', 'Rows', 'Share', '95% interval'],
        rows: mentioned.map((group) => {
          const { low, high } = wilson(rows[group]!, input.rows)
          return [
            groups[group]!.name,
            rows[group]!,
            percent(rows[group]! / input.rows),
            `${percent(low)} to ${percent(high)}`,
          ]
        }),
      },
    })
  }
}

/** All mentions of a theme read alike, also of its groups that stand beside no label: else who is left would tell. */
function unnamed(input: HealthInput, groups: readonly DemographicGroup[], uneven: readonly number[]): Remedy {
  const themes = [...new Set(uneven.map((group) => groups[group]!.theme))]
  const instead = themes.map((theme) => `[${theme.trim().toUpperCase() || 'GROUP'}]`)
  const wordsOf = (theme: string): string[] =>
    groups.filter((group) => group.theme === theme).flatMap(({ words }) => words)
  return {
    label: `Write ${some(instead, 3)} in place of who is meant`,
    steps: themes.map((theme, i) => replacing(input, wordsOf(theme), instead[i])),
  }
}

/** Rows of several lists, each once and in order; a row in more than one has all their notes. */
function together(lists: readonly RowList[]): RowList {
  const notes = new Map<number, string[]>()
  for (const { rows } of lists)
    for (const { row, note } of rows) notes.set(row, [...(notes.get(row) ?? []), note!])
  const all = new RowList()
  for (const [row, of] of [...notes].sort((a, b) => a[0] - b[0])) all.add(row, some(of, 3))
  return all
}

/** z of the difference between a label's share and that of the other rows (two proportions, pooled). */
function difference(count: number, of: number, all: number, total: number): number {
  const others = total - of
  if (of === 0 || others === 0) return 0
  const pooled = all / total
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / of + 1 / others))
  return error === 0 ? 0 : (count / of - (all - count) / others) / error
}

/** Finds words and phrases of several lists in one go. */
class Mentions {
  /** What begins with a word: the rest of the phrase, and whose it is. */
  readonly #starts = new Map<string, { rest: string[]; group: number }[]>()

  constructor(lists: readonly (readonly string[])[]) {
    for (const [group, list] of lists.entries())
      for (const phrase of list) {
        const [first, ...rest] = phrase
          .trim()
          .toLowerCase()
          .split(/[\s-]+/)
        if (!first) continue
        const known = this.#starts.get(first)
        if (known) known.push({ rest, group })
        else this.#starts.set(first, [{ rest, group }])
      }
  }

  /** Each group that is mentioned, with the words that do it. */
  in(words: readonly string[]): Map<number, string> {
    const found = new Map<number, string>()
    for (let i = 0; i < words.length; i++) {
      const starts = this.#starts.get(words[i]!)
      if (!starts) continue
      for (const { rest, group } of starts)
        if (!found.has(group) && rest.every((word, at) => words[i + 1 + at] === word))
          found.set(group, [words[i]!, ...rest].join(' '))
    }
    return found
  }
}
