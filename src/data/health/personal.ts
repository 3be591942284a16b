// Personal data, type by type; what is found is what the recipe's redaction replaces.
import { findPersonalData } from '../personal/find.ts'
import { PERSONAL_KINDS, type PersonalKind } from '../../protocol/recipe.ts'
import { finding, RowList, textColumns, type Check, type HealthInput } from './check.ts'
import { excerpt, percent, plural } from './say.ts'

const WORDS: Record<PersonalKind, { one: string; many: string; how: string }> = {
  email: { one: 'an e-mail address', many: 'e-mail addresses', how: 'Found by their form.' },
  phone: {
    one: 'a phone number',
    many: 'phone numbers',
    how: 'Found by the forms of several countries, or by a word beside them.',
  },
  card: {
    one: 'a payment card',
    many: 'payment cards',
    how: 'Prefix, length and check digit (Luhn) are those of real cards.',
  },
  iban: {
    one: 'a bank account',
    many: 'bank accounts (IBAN)',
    how: 'Length and check digits (mod 97) are right.',
  },
  ip: { one: 'an IP address', many: 'IP addresses', how: 'They lead to the connection of a person.' },
  nationalId: {
    one: 'a national identifier',
    many: 'national identifiers',
    how: 'Social security, tax and identity numbers of ten countries, with their check digits.',
  },
  name: {
    one: 'a name after a title',
    many: 'names after a title',
    how: 'Only names beside Mr, Dr and their like are found; there may be more.',
  },
}

/** Found texts that a row's note shows. */
const SHOWN = 3

export function personalCheck(input: HealthInput): Check | null {
  if (input.texts.length === 0) return null
  const lists = new Map(PERSONAL_KINDS.map((kind) => [kind, { list: new RowList(), found: 0 }]))
  return {
    kinds: ['personalData'],
    row(row) {
      const matches = findPersonalData(row.text)
      if (matches.length === 0) return
      for (const kind of PERSONAL_KINDS) {
        const of = matches.filter(({ type }) => type === kind)
        if (of.length === 0) continue
        const known = lists.get(kind)!
        known.found += of.length
        const shown = of.slice(0, SHOWN).map(({ start, end }) => excerpt(row.text.slice(start, end), 40))
        known.list.add(row.index, shown.join(', '))
      }
    },
    finish: () =>
      [...lists].flatMap(([kind, { list, found }]) => {
        if (list.count === 0) return []
        const { one, many, how } = WORDS[kind]
        const columns = textColumns(input)
        return [
          finding(input, {
            id: `personalData:${kind}`,
            kind: 'personalData',
            severity: kind === 'name' || kind === 'ip' ? 'check' : 'fix',
            title: `${plural(list.count, 'row')} (${percent(list.count / input.rows)}) with ${list.count === 1 && found === 1 ? one : many}`,
            explanation: `${plural(found, 'place')} in all. ${how} A model can repeat what it was trained on, to anyone. Redacting puts a placeholder in its place, the same one for the same value.`,
            count: list.count,
            rows: list.rows,
            remedies: [
              { label: 'Redact them', steps: [{ kind: 'redact', columns, kinds: [kind] }] },
              { label: 'Redact all personal data', steps: [{ kind: 'redact', columns }] },
            ],
          }),
        ]
      }),
  }
}
