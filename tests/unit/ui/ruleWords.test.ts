// Rules as sentences, and the tree's drawing.
import { expect, it } from 'vitest'
import { treeScene } from '../../../src/charts/ruleTree.ts'
import type { RuleCondition, RuleFeature, RuleTreeNode } from '../../../src/protocol/explain.ts'
import { conditionWords, featureWords, wayTo } from '../../../src/views/explain/ruleWords.ts'

const gram = (text: string): RuleFeature => ({ kind: 'ngram', text })
const is = (feature: RuleFeature): RuleCondition => ({ feature, holds: true })
const not = (feature: RuleFeature): RuleCondition => ({ feature, holds: false })

it.each([
  [[is(gram('refund'))], 'the text has “refund”'],
  [[not(gram('late')), is(gram('my refund'))], 'the text has “my refund” and no “late”'],
  [[is(gram('no idea')), not(gram('bill'))], 'the text has “no idea” and no “bill”'],
  [
    [not({ kind: 'equals', column: 'channel', value: 'phone' }), is(gram('refund'))],
    'the text has “refund”, and channel is not phone',
  ],
  [[is({ kind: 'atMost', column: 'amount', value: 20 })], 'amount is at most 20'],
  [[not({ kind: 'atMost', column: 'amount', value: 20 })], 'amount is above 20 or no number'],
  [[is({ kind: 'empty', column: 'note' })], 'note is empty'],
])('%#: %s', (conditions, words) => expect(conditionWords(conditions)).toBe(words))

it('the way to a node, and its box', () => {
  const node = (feature: RuleFeature | null, yes: number, no: number): RuleTreeNode => ({
    feature,
    yes,
    no,
    counts: [3, 1],
    label: 0,
  })
  const tree = [
    node(gram('refund'), 1, 4),
    node(gram('late'), 2, 3),
    ...[0, 1, 2].map(() => node(null, -1, -1)),
  ]
  expect(conditionWords(wayTo(tree, 3))).toBe('the text has “refund” and no “late”')
  expect(wayTo(tree, 0)).toEqual([])
  const scene = treeScene(
    tree.map(({ feature, yes, no }) => ({
      yes,
      no,
      title: feature ? featureWords(feature) : 'a label with a long, long name that does not fit',
      note: '4 rows',
      share: 0.75,
    })),
    716,
  )
  // Three columns of 200 with gaps of 56; leaves stand 56 apart, a question in the middle of what follows it.
  expect(scene).toMatchObject({ width: 716, height: 168 })
  expect(scene.boxes.map(({ x, y }) => [x, y + 22])).toEqual([
    [2, 98],
    [258, 56],
    [514, 28],
    [514, 84],
    [258, 140],
  ])
  expect(scene.boxes[4]).toMatchObject({ bar: 150 })
  expect(scene.boxes[4]!.title).toMatch(/^a label with .*…$/)
  expect(scene.boxes[0]!.bar).toBeNull()
  expect(scene.links.map(({ answer }) => answer)).toEqual(['yes', 'no', 'yes', 'no'])
  expect(scene.links[0]!.path).toBe('M202,98C230,98 230,56 258,56')
  expect(treeScene([{ yes: -1, no: -1, title: '', note: '', share: 1 }], 0)).toMatchObject({ height: 56 })
})
