// Frames that are taken between replayed steps leave the training as it is, to the bit.
import { beforeAll, expect, it } from 'vitest'
import { startBackend } from '../../src/core/backend/register.ts'
import { filmShot, type Shot } from '../../src/core/explain/film.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { Turns } from '../../src/core/turns.ts'
import { loadTiny } from '../golden/follow.ts'
import { numbersOf, trainerOn, type Training } from './training.ts'

beforeAll(async () => {
  await startBackend('webgpu', {
    onFault: (error) => {
      throw error
    },
  })
})

it('the same bits with and without a film', async () => {
  const tiny = await loadTiny('tiny-llama', opsFor('webgpu'))
  const given: Training = { classify: true, adapter: { dropout: 0.3 } }
  const run = async (filmed: boolean) => {
    const shots: Shot[] = []
    const film = {
      due: (step: number) => filmed && step % 2 === 0,
      take: async () => {
        const trainable = made.trainer.trainable()
        const asked = { model: tiny.model, trainable, turns: new Turns(), padId: 3, maskId: null }
        const scene = { ids: [5, 9, 14, 7, 30], position: 4, output: 1 }
        shots.push(await filmShot(asked, scene, ['attention', 'saliency'], String))
      },
    }
    const made = await trainerOn(tiny, { ...given, options: { film } })
    await made.trainer.run()
    const { recorded } = made.trainer
    made.trainer.dispose()
    return { ...made, shots, recorded }
  }
  const plain = await run(false)
  const filmed = await run(true)
  expect(filmed.recorded).toBe(true)
  expect(numbersOf(filmed)).toEqual(numbersOf(plain))
  expect(filmed.states.at(-1)!.parameters).toEqual(plain.states.at(-1)!.parameters)
  // The frames show the model as it learns.
  expect(filmed.shots.length).toBe(3)
  expect(filmed.shots[0]!.saliency).not.toEqual(filmed.shots[2]!.saliency)
  expect(filmed.shots[0]!.attention).not.toEqual(filmed.shots[2]!.attention)
  tiny.model.dispose()
}, 120_000)
