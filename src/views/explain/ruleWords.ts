// Rules as sentences.
import { number } from '../../charts/format.ts'
import type { RuleCondition, RuleFeature, RuleTreeNode } from '../../protocol/explain.ts'

/** A question of a tree, short: “refund”, channel is phone. */
export function featureWords(feature: RuleFeature): string {
  return feature.kind === 'ngram' ? `“${feature.text}”` : columnWords({ feature, holds: true })
}

/** What must be so: "the text has “refund” and no “parcel”, and channel is phone". */
export function conditionWords(conditions: readonly RuleCondition[]): string {
  const grams = conditions.flatMap(({ feature, holds }) =>
    feature.kind === 'ngram' ? [`${holds ? '' : 'no '}“${feature.text}”`] : [],
  )
  // What must be there is said before what must not.
  const has = [
    ...grams.filter((gram) => !gram.startsWith('no ')),
    ...grams.filter((gram) => gram.startsWith('no ')),
  ]
  const text = has.length > 0 ? [`the text has ${has.join(' and ')}`] : []
  return [...text, ...conditions.filter(({ feature }) => feature.kind !== 'ngram').map(columnWords)].join(
    ', and ',
  )
}

function columnWords({ feature, holds }: RuleCondition): string {
  switch (feature.kind) {
    case 'equals':
      return `${feature.column} is ${holds ? '' : 'not '}${feature.value}`
    case 'atMost':
      return holds
        ? `${feature.column} is at most ${number(feature.value)}`
        : `${feature.column} is above ${number(feature.value)} or no number`
    case 'empty':
      return `${feature.column} is ${holds ? '' : 'not '}empty`
    case 'ngram':
      return conditionWords([{ feature, holds }])
    default:
      return feature satisfies never
  }
}

/** The conditions on the way to a node. */
export function wayTo(tree: readonly RuleTreeNode[], node: number): RuleCondition[] {
  const parent = tree.findIndex(({ yes, no }) => yes === node || no === node)
  if (parent < 0) return []
  const { feature, yes } = tree[parent]!
  return [...wayTo(tree, parent), { feature: feature!, holds: yes === node }]
}
