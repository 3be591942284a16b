// Every method that says which words count, asked of a model in which it is known: the word that decides comes first, and a
// word that does nothing is not among the first three. The whole of it is `npm run check:explain`; its figures are in
// docs/explain-proof.md.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Target } from '../../../src/protocol/target.ts'
import { DISTRACTOR, plantedModel, plantedRows } from './planted.ts'
import { ATTENTION_RANKINGS, LOCAL_RANKINGS, RANKINGS, type Ranking } from './rankings.ts'
import { engine, type Engine } from './support.ts'

const WHOLE = import.meta.env['VITE_PLANTED'] === 'every'
const ROWS = plantedRows(WHOLE ? 100 : 10)

let e: Engine
let target: Target
beforeAll(async () => {
  e = await engine()
  target = await plantedModel(e, WHOLE ? { rows: 8000, epochs: 6 } : { rows: 2400, epochs: 5 })
}, 300_000)
afterAll(() => e.close())

/** Shares of the rows in which the word that decides is first, and the distractor among the first three. */
async function shares(name: string, ranking: Ranking) {
  let first = 0
  let distracted = 0
  for (const { text, label, other, planted } of ROWS) {
    const order = await ranking(e, target, text, label, other)
    first += Number(order[0] === planted) / ROWS.length
    distracted += Number(order.slice(0, 3).includes(DISTRACTOR)) / ROWS.length
  }
  if (WHOLE) console.log(`${name}: first ${first.toFixed(2)}, distractor ${distracted.toFixed(2)}`)
  return { first, distracted }
}

it('the model has learnt what was planted', async () => {
  const texts = ROWS.map(({ text }) => text)
  const found = await e.ask.predict(target, texts, undefined, {
    signal: new AbortController().signal,
    progress: () => undefined,
  })
  const right = found.filter(({ label }, i) => label === ROWS[i]!.label).length
  expect(right / ROWS.length).toBeGreaterThanOrEqual(0.98)
})

describe('what takes words away, and integrated gradients', () => {
  it.each(Object.entries(RANKINGS))(
    '%s puts the word that decides first, and the distractor behind',
    async (name, ranking) => {
      const { first, distracted } = await shares(name, ranking)
      expect(first).toBeGreaterThanOrEqual(0.95)
      // A short training leaves the distractor some effect of its own.
      expect(distracted).toBeLessThanOrEqual(WHOLE ? 0 : 0.3)
    },
    300_000,
  )
})

// The slope at the text itself says where a small change would tell, and attention where the model looks: neither has to
// be where the answer comes from. They are only held to be better than chance, which is one in six.
describe.runIf(WHOLE)('for comparison', () => {
  it.each(Object.entries({ ...LOCAL_RANKINGS, ...ATTENTION_RANKINGS }))(
    '%s',
    async (name, ranking) => expect((await shares(name, ranking)).first).toBeGreaterThan(0.4),
    300_000,
  )
})
