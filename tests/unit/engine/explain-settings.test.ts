// What a script that has nothing but the documentation finds out about a result: with which settings it was made, and what is
// said of a request that leaves out what there is no default for.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { EXPLAIN_METHODS, type ExplainMethod } from '../../../src/protocol/explain.ts'
import { EXPLAINERS } from '../../../workers/engine/explain/index.ts'
import { adapterFiles, modelFiles } from '../../golden/load.ts'
import { context, engine, type Engine } from './support.ts'

const TEXT = 'the sun is warm'

let e: Engine
let model: string
let target: { model: string; adapter: string }
beforeAll(async () => {
  e = await engine()
  model = (await e.models.load({ files: modelFiles('tiny-bert') }, {}, context())).id
  const files = adapterFiles('tiny-bert', 'classify')
  target = { model, adapter: (await e.adapters.import(model, { files }, {}, context())).id }
}, 60_000)
afterAll(() => e.close())

const saliency = (request: object) =>
  EXPLAINERS.saliency(e.desk, target, { text: TEXT, ...request }, context())

it('saliency says with which settings it was made, the ends of the path and the time left', async () => {
  const plain = await saliency({})
  expect(plain.method).toBe('gradientXInput')
  for (const name of ['samples', 'seed', 'noise', 'baseline', 'base', 'residual'])
    expect(plain).not.toHaveProperty(name)

  expect(await saliency({ method: 'smoothGrad' })).toMatchObject({ samples: 10, noise: 0.15, seed: 0 })
  const settings = { samples: 3, noise: 0.5, seed: 7 }
  expect(await saliency({ method: 'smoothGrad', ...settings })).toMatchObject(settings)

  const call = context()
  const path = await EXPLAINERS.saliency(
    e.desk,
    target,
    { text: TEXT, method: 'integratedGradients', samples: 20 },
    call,
  )
  expect(path).toMatchObject({ samples: 20, baseline: 'pad' })
  const sum = path.scores.reduce((total, score) => total + score, 0)
  expect(path.residual).toBeCloseTo(sum - (path.output.value - path.base!), 4)
  // The baseline is a text of padding, which can be asked about.
  const ids = path.ids.map(() => 0)
  const { padId } = await e.models.use(model)
  const { logits } = await e.ask.logits(target, undefined, ids.fill(padId))
  expect(path.base).toBeCloseTo(logits[path.output.index]!, 4)
  expect(call.reports.at(-1)).toMatchObject({ done: 22, total: 22, secondsLeft: 0 })

  // Points that were asked for are taken, whatever they leave.
  const rough = await saliency({ method: 'integratedGradients', samples: 1 })
  expect(rough.samples).toBe(1)
  expect(await saliency({ method: 'integratedGradients', baseline: 'zero' })).toMatchObject({
    samples: 50,
    baseline: 'zero',
  })
})

/** Of requests that lack what each method cannot do without. */
const LACKING: Partial<Record<ExplainMethod, object>> = {
  stability: { text: TEXT },
  faithfulness: { text: TEXT },
}

it.each(EXPLAIN_METHODS)('%s says what is missing', async (method) => {
  for (const request of [{}, LACKING[method] ?? {}]) {
    const asked = async () => EXPLAINERS[method](e.desk, target, request as never, context())
    await expect(asked()).rejects.toMatchObject({
      code: 'E_ARGUMENT',
      message: expect.stringMatching(/Give |Choose a run|Only a run/),
    })
  }
})

it('takes a token by its text as by its id, and says what a text of several is', async () => {
  const { tokenizer } = await e.models.use(model)
  const text = `the ${tokenizer.maskText} is warm`
  const [id, next] = tokenizer.encode('the sun', { special: false })
  const [name, other] = [id!, next!].map((each) => tokenizer.tokens([each])[0]!.trim())
  const asked = (output: string | number) =>
    EXPLAINERS.saliency(e.desk, { model }, { text, output }, context())
  expect((await asked(name!)).scores).toEqual((await asked(id!)).scores)
  expect((await asked(name!)).output.index).toBe(id)
  await expect(asked(`${name} ${other}`)).rejects.toMatchObject({
    code: 'E_ARGUMENT',
    message: expect.stringMatching(/^"the s\w*" is no one token, but \d/),
  })
  await expect(asked('')).rejects.toMatchObject({ code: 'E_ARGUMENT' })
})

it('shows a wrong setting as it was given', async () => {
  const asked = async (samples: unknown) => saliency({ method: 'smoothGrad', samples })
  await expect(asked(NaN)).rejects.toThrow('samples cannot be NaN.')
  await expect(asked('100')).rejects.toThrow('but is the text 100.')
})
