// Explanations of a next token and of a masked one, through the desk: what they say is asked of the model a second way.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EXPLAINERS } from '../../../workers/engine/explain/index.ts'
import { SHAP_METHODS, type Unit } from '../../../src/protocol/explain.ts'
import type { Target } from '../../../src/protocol/target.ts'
import { modelFiles, type FamilyName } from '../../golden/load.ts'
import { context, engine, type Engine } from './support.ts'

let e: Engine
const targets: Partial<Record<FamilyName, Target>> = {}
beforeAll(async () => {
  e = await engine()
  for (const name of ['tiny-llama', 'tiny-bert'] as const)
    targets[name] = { model: (await e.models.load({ files: modelFiles(name) }, {}, context())).id }
}, 60_000)
afterAll(() => e.close())

const CASES = [
  ['tiny-llama', 'The order is for the sun.'],
  ['tiny-bert', 'where is [MASK] order'],
] as const

describe.each(CASES)('%s', (name, text) => {
  const target = () => targets[name]!
  /** The most likely token at a place, and by how much: by the logits that scripts read. */
  async function best(ids: number[], position: number) {
    const { logits, shape } = await e.ask.logits(target(), undefined, ids)
    const row = logits.subarray(position * shape[1], (position + 1) * shape[1])
    const order = [...row.keys()].sort((a, b) => row[b]! - row[a]!)
    return { index: order[0]!, margin: row[order[0]!]! - row[order[1]!]!, row }
  }
  const without = (ids: readonly number[], units: readonly Unit[], gone: readonly number[], filler: number) =>
    ids.map((id, t) => (gone.some((unit) => t >= units[unit]!.from && t < units[unit]!.to) ? filler : id))
  async function opened() {
    const { ids, output } = await EXPLAINERS.layers(e.desk, target(), { text }, context())
    const id = 'model' in target() ? (target() as { model: string }).model : ''
    const base = await e.models.use(id)
    return { ids, position: output.position, filler: base.tokenizer.maskId ?? base.padId }
  }

  it('the explained token is the most likely one, and a minimal edit makes it another', async () => {
    const { ids, position, filler } = await opened()
    const whole = await best(ids, position)
    const granularity = 'token' as const
    const found = await EXPLAINERS.counterfactual(e.desk, target(), { text, granularity }, context())
    expect(found.output.index).toBe(whole.index)
    expect(found.output.position).toBe(position)
    expect(found.margin).toBeCloseTo(whole.margin, 4)
    expect(
      found.pieces.every(({ from, to }) => name === 'tiny-llama' || position < from || position >= to),
    ).toBe(true)
    expect(found.edits.length).toBeGreaterThan(0)
    for (const { units, output, margin } of found.edits) {
      const after = await best(without(ids, found.pieces, units, filler), position)
      expect(after.index).toBe(output)
      expect(output).not.toBe(whole.index)
      expect(after.row[whole.index]! - after.row[output]!).toBeCloseTo(margin, 4)
      for (let part = 0; part < 2 ** units.length - 1; part++) {
        const some = units.filter((_, i) => (part >> i) & 1)
        expect((await best(without(ids, found.pieces, some, filler), position)).index).toBe(whole.index)
      }
    }
  })

  it('an anchor holds the token, as the logits of all texts with its pieces say', async () => {
    const { ids, position, filler } = await opened()
    const granularity = 'word' as const
    const found = await EXPLAINERS.anchors(e.desk, target(), { text, granularity, seed: 4 }, context())
    const n = found.pieces.length
    let [held, all] = [0, 0]
    for (let bits = 0; bits < 2 ** n; bits++) {
      const gone = found.pieces.flatMap((_, i) => ((bits >> i) & 1 ? [i] : []))
      if (found.units.some((unit) => gone.includes(unit))) continue
      all++
      held += Number(
        (await best(without(ids, found.pieces, gone, filler), position)).index === found.output.index,
      )
    }
    // Every text is as likely: the share of all of them is what precision estimates.
    const error = Math.sqrt(0.25 / found.samples)
    expect(Math.abs(found.precision - held / all)).toBeLessThan(4 * error + 1e-9)
    expect(found.found).toBe(found.lowerBound >= 0.95)
  }, 30_000)

  it('heads switched off one at a time change what each changes alone; a contrast is the difference of two', async () => {
    const ask = (request: object) => EXPLAINERS.ablation(e.desk, target(), { text, ...request }, context())
    const [one, other] = [9, 20]
    const each = await ask({ output: one })
    const beside = await ask({ output: other })
    const both = await ask({ output: one, contrast: other })
    expect(both.output.value).toBeCloseTo(each.output.value - beside.output.value, 5)
    const places = Array.from({ length: each.layers * each.heads }, (_, at) => at)
    for (const at of places) {
      expect(both.each!.change[at]).toBeCloseTo(each.each!.change[at]! - beside.each!.change[at]!, 4)
      const place: [number, number] = [Math.floor(at / each.heads), at % each.heads]
      const { off } = await ask({ output: one, heads: [place] })
      expect(off!.change).toBeCloseTo(each.each!.change[at]!, 4)
    }
  }, 30_000)

  it('a text of one piece has an explanation by every way', async () => {
    const single = name === 'tiny-bert' ? '[MASK] a' : 'a'
    for (const method of SHAP_METHODS) {
      const { values, value, base } = await EXPLAINERS.shap(
        e.desk,
        target(),
        { text: single, method },
        context(),
      )
      expect(values).toHaveLength(1)
      expect(values[0]).toBeCloseTo(value - base, 6)
    }
    const lime = await EXPLAINERS.lime(e.desk, target(), { text: single, samples: 50 }, context())
    expect(lime.weights).toHaveLength(1)
    const anchor = await EXPLAINERS.anchors(e.desk, target(), { text: single }, context())
    expect(anchor.pieces).toHaveLength(1)
    const edits = await EXPLAINERS.counterfactual(e.desk, target(), { text: single }, context())
    expect(edits.exhaustive).toBe(true)
  })
})
