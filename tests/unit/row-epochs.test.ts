// What runs said of their rows is kept by epoch, forgotten after a step back, and swept with runs that are gone.
import 'fake-indexeddb/auto'
import { expect, it } from 'vitest'
import { openStore } from '../../src/store/database.ts'
import { putRowEpochs, readRowEpochs, removeRowEpochs, type RowEpoch } from '../../src/store/rowEpochs.ts'
import { sweep } from '../../src/store/sweep.ts'

const epoch = (run: string, number: number): RowEpoch => ({
  run,
  epoch: number,
  gold: Float32Array.of(number / 10, NaN),
  predicted: Uint16Array.of(number, 0xffff),
})

it('epochs of rows', async () => {
  const store = await openStore({ name: 'row-epochs-test' })
  await putRowEpochs(store, [epoch('a', 2), epoch('a', 0), epoch('a', 1), epoch('b', 0)])
  expect((await readRowEpochs(store, 'a')).map((each) => each.epoch)).toEqual([0, 1, 2])
  expect((await readRowEpochs(store, 'a'))[1]).toEqual(epoch('a', 1))
  await putRowEpochs(store, [{ ...epoch('a', 1), gold: Float32Array.of(0.5, 0.5) }])
  expect([...(await readRowEpochs(store, 'a'))[1]!.gold]).toEqual([0.5, 0.5])
  await removeRowEpochs(store, 'a', 1)
  expect((await readRowEpochs(store, 'a')).map((each) => each.epoch)).toEqual([0, 1])
  await removeRowEpochs(store, 'a')
  expect(await readRowEpochs(store, 'a')).toEqual([])
  expect(await readRowEpochs(store, 'b')).toHaveLength(1)
  // There is no run of that name.
  await sweep(store)
  expect(await readRowEpochs(store, 'b')).toEqual([])
  store.close()
})
