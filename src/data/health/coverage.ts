// Classes against the shares that they should have, for instance those of real use.
import { finding, type Check, type HealthInput } from './check.ts'
import { wilson } from './intervals.ts'
import { percent, plural, some } from './say.ts'

/** Total variation distance from which on the shares are called different: rows that would have to change class. */
const DISTANCE_LEAST = 0.1

export function coverageCheck(input: HealthInput): Check | null {
  const { target } = input.options
  if (input.label === null || !target) return null
  return {
    kinds: ['classCoverage'],
    finish() {
      const { names, counts, tooMany } = input.labels
      if (tooMany) return []
      const rows = counts.reduce((sum, number) => sum + number, 0)
      const sum = Object.values(target).reduce((total, share) => total + share, 0)
      const all = [...new Set([...Object.keys(target), ...names])]
      const lines = all.map((name) => {
        const at = names.indexOf(name)
        const number = at < 0 ? 0 : counts[at]!
        const wanted = (Object.hasOwn(target, name) ? target[name]! : 0) / sum
        return { name, number, share: rows ? number / rows : 0, wanted }
      })
      const distance = lines.reduce((total, { share, wanted }) => total + Math.abs(share - wanted), 0) / 2
      const absent = lines.filter(({ number, wanted }) => number === 0 && wanted > 0)
      const unexpected = lines.filter(({ number, wanted }) => number > 0 && wanted === 0)
      if (distance < DISTANCE_LEAST && absent.length === 0 && unexpected.length === 0) return []
      const said = [
        absent.length
          ? `${some(absent.map(({ name }) => `“${name}”`))} ${absent.length === 1 ? 'has' : 'have'} no row at all.`
          : '',
        unexpected.length ? `${some(unexpected.map(({ name }) => `“${name}”`))} should not be there.` : '',
      ].filter((text) => text !== '')
      const column = input.columns[input.label!]!
      const shares = lines
        .filter(({ number, wanted }) => number > 0 && wanted > 0)
        .map(({ name, wanted }): [string, number] => [name, wanted])
      return [
        finding(input, {
          kind: 'classCoverage',
          column,
          severity: absent.length ? 'fix' : 'check',
          title: absent.length
            ? `${plural(absent.length, 'class', 'classes')} of the target ${absent.length === 1 ? 'is' : 'are'} missing`
            : `The classes are ${percent(distance)} away from the target`,
          explanation:
            `${percent(distance)} of the rows would have to be of another class to have the shares that you gave. ${said.join(' ')}`.trim(),
          charts: [
            {
              title: 'Share of the rows, by class',
              intervals: lines.slice(0, 30).map(({ name, number, share }) => ({
                label: name,
                share,
                ...wilson(number, rows),
                count: number,
                of: rows,
              })),
            },
          ],
          // Classes without a row cannot be repeated, and those that should not be there are for a person to decide.
          remedies:
            shares.length < 2
              ? []
              : [
                  {
                    label: 'Leave out rows of classes above their share',
                    steps: [{ kind: 'rebalance', column, method: 'under', shares }],
                  },
                  {
                    label: 'Repeat rows of classes below their share',
                    steps: [{ kind: 'rebalance', column, method: 'over', shares }],
                  },
                ],
          table: {
            columns: ['Class', 'Rows', 'Share', 'Target'],
            rows: lines.map(({ name, number, share, wanted }) => [
              name,
              number,
              percent(share),
              percent(wanted),
            ]),
          },
        }),
      ]
    },
  }
}
