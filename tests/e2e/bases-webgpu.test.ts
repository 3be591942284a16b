// The family with the most of its own (norms with 1 + w, GeGLU, sliding windows, two kinds of RoPE) on WebGPU in the built
// site: its logits and its first steps are those of PyTorch.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { decode, familyGolden, relativeError } from '../golden/load.ts'
import { importBytes, loadBytes, logitsOf, openBases, peftBytes, wordyBytes } from './support/bases.ts'
import type { Site } from './support/site.ts'
import { expectTrajectory, trajectoryRows, trajectoryTraining } from './support/trajectory.ts'

const NAME = 'tiny-gemma3'
const ONE_STEP = 1e-4

let site: Site
beforeAll(async () => {
  site = await openBases({ gpu: true })
})
afterAll(async () => {
  await site?.close()
})

it('Gemma 3 loads, trains three steps and exports as PyTorch and peft do', async () => {
  const { page } = site
  expect((await page.evaluate(() => window.graft.engine.info())).backend).toBe('webgpu')
  const causal = familyGolden(NAME).causal!
  const { id: model } = await loadBytes(page, wordyBytes(NAME), 'f32')
  for (const { ids, logits } of familyGolden(NAME).base.sequences)
    expect(relativeError(await logitsOf(page, { model }, ids), decode(logits))).toBeLessThan(ONE_STEP)
  const { value: adapter } = await importBytes(page, model, await peftBytes(NAME, 'causal'))
  const { ids, logits } = causal.sequence
  expect(
    relativeError(await logitsOf(page, { model, adapter: adapter!.id }, ids), decode(logits)),
  ).toBeLessThan(ONE_STEP)

  // The warm-up is as long: the rates are the first ones of the thirty steps.
  const { run, back } = await page.evaluate(
    async ([model, dataset, from, training]) => {
      const { runs, adapters } = window.graft
      const id = await runs.start({ dataset, model, adapter: { from }, training })
      const run = await runs.wait(id)
      const zip = new File([await window.graft.export.adapter(id)], 'run.zip')
      return { run, back: await adapters.import(model, { files: [zip] }) }
    },
    [
      model,
      await trajectoryRows(page, causal),
      adapter!.id,
      { ...trajectoryTraining(causal), steps: 3 },
    ] as const,
  )
  expect(run.backend).toBe('webgpu')
  expect(run.steps).toBe(3)
  expectTrajectory(run, causal.trajectory)
  const ours = await logitsOf(page, { run: run.id }, ids)
  expect(relativeError(await logitsOf(page, { model, adapter: back.id }, ids), ours)).toBeLessThan(1e-5)
  expect(relativeError(ours, decode(logits))).toBeGreaterThan(1e-3)
  expect(site.errors).toEqual([])
})
