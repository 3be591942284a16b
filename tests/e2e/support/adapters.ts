// Adapters in the page: taken in, trained, taken out.
import { unzipSync, zipSync } from 'fflate'
import { expect } from 'vitest'
import type { Page } from 'playwright'
import type { AdapterConfig, TrainingConfig } from '../../../src/protocol/run.ts'
import type { Target } from '../../../src/protocol/target.ts'
import { importBytes, trainingRows, unpacked } from './bases.ts'

export type Bytes = Map<string, Uint8Array>
export const zipped = (files: Bytes, folder = ''): Bytes =>
  new Map([
    ['from-peft.zip', zipSync(Object.fromEntries([...files].map(([name, bytes]) => [folder + name, bytes])))],
  ])

export async function imported(
  page: Page,
  model: string,
  bytes: Bytes,
  options?: { name?: string; labels?: string[] },
) {
  const { value, error } = await importBytes(page, model, bytes, options)
  expect(error).toBeUndefined()
  return value!
}

/** The files of an exported zip. */
export async function exported(page: Page, target: Target, dtype?: 'f32' | 'f16' | 'bf16'): Promise<Bytes> {
  const base64 = await page.evaluate(
    async ([target, dtype]) => {
      const { adapter, merged } = window.graft.export
      return window.asBase64(await (dtype ? merged(target, { dtype }) : adapter(target)))
    },
    [target, dtype] as const,
  )
  return new Map(Object.entries(unzipSync(unpacked(base64))))
}

export async function trained(
  page: Page,
  request: { model: string; dataset: string; adapter: Partial<AdapterConfig> & { from?: string } },
  training: Partial<TrainingConfig>,
) {
  const run = await page.evaluate(
    async ([request, training]) =>
      window.graft.runs.wait(
        await window.graft.runs.start({
          ...request,
          training: {
            shuffle: false,
            warmup: 0,
            learningRate: 5e-3,
            batchSize: 4,
            maxLength: 24,
            ...training,
          },
        }),
      ),
    [request, training] as const,
  )
  expect(run.error).toBeNull()
  expect(run.status).toBe('done')
  return run
}

export const textRows = (page: Page): Promise<string> =>
  trainingRows(
    page,
    Array.from({ length: 8 }, (_, i) => ({
      prompt: `the ${i} day`,
      completion: `is a ${i % 2 ? 'sun' : 'rain'} day`,
    })),
    'complete',
  )
