// Rows in another language than most.
import { dropAll, finding, RowList, type Check, type HealthInput } from './check.ts'
import { LANGUAGE_COUNT, languageName, languageOf, UNKNOWN } from './languages.ts'
import { percent, plural, some } from './say.ts'

/** Share of the rows of known language that must share one before others are odd. */
const MAIN_SHARE = 0.7
/** Known rows needed to speak of "most". */
const KNOWN_LEAST = 10

export function languageCheck(input: HealthInput): Check | null {
  if (input.texts.length === 0) return null
  const languages = new Uint8Array(input.rows)
  return {
    kinds: ['language'],
    row(row) {
      languages[row.index] = languageOf(row.text, row.words)
    },
    finish() {
      const counts = new Array<number>(LANGUAGE_COUNT).fill(0)
      for (const language of languages) counts[language]!++
      const known = input.rows - counts[UNKNOWN]!
      const order = counts
        .map((rows, language) => ({ rows, language }))
        .filter(({ rows, language }) => rows > 0 && language !== UNKNOWN)
        .sort((a, b) => b.rows - a.rows)
      const main = order[0]
      if (!main || known < KNOWN_LEAST || order.length < 2) return []
      const mixed = main.rows / known < MAIN_SHARE
      const list = new RowList()
      if (!mixed)
        for (let row = 0; row < languages.length; row++)
          if (languages[row] !== UNKNOWN && languages[row] !== main.language)
            list.add(row, languageName(languages[row]!))
      const others = order.slice(1).map(({ rows, language }) => `${languageName(language)} (${rows})`)
      const table = {
        columns: ['Language', 'Rows'],
        rows: [
          ...order.map(({ rows, language }): [string, number] => [languageName(language), rows]),
          ...(counts[UNKNOWN] ? [['not clear', counts[UNKNOWN]] as [string, number]] : []),
        ],
      }
      if (mixed)
        return [
          finding(input, {
            kind: 'language',
            severity: 'know',
            title: `The texts are in ${plural(order.length, 'language')}`,
            explanation: `${languageName(main.language)} has ${percent(main.rows / known)} of those that could be told. Whether that is meant, you know; a small base may know only some of them.`,
            table,
          }),
        ]
      return [
        finding(input, {
          kind: 'language',
          severity: 'check',
          title: `${plural(list.count, 'row')} in another language than ${languageName(main.language)}`,
          explanation: `${some(others)}. Told by script, function words and letters of their own; short texts are left out. Few rows of another language are hardly learnt.`,
          count: list.count,
          rows: list.rows,
          table,
          remedies: [dropAll(list)],
        }),
      ]
    },
  }
}
