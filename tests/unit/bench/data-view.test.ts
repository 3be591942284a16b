// The measure of views works, and finds what it should; GRAFT_BENCH_ROWS=1000000 prints its figures for as many rows.
import { expect, test } from 'vitest'
import { measureView } from '../../../bench/dataView.ts'

const rows = Number(process.env.GRAFT_BENCH_ROWS ?? 3000)

test('every way to look at the rows is measured', async () => {
  const figures = await measureView(rows)
  expect(figures.rows).toBe(rows)
  expect(Object.values(figures.seconds).every((seconds) => seconds >= 0)).toBe(true)
  const { found } = figures
  expect(found['sort: text']).toBe(rows)
  expect(found['search: phrase']).toBe(found['search: one word'])
  expect(found['search: one word']! / rows).toBeCloseTo(1 / 12, 1)
  expect(found['filter: contains']! / rows).toBeCloseTo(1 / 7, 1)
  if (process.env.GRAFT_BENCH_ROWS) console.log(JSON.stringify(figures, null, 1))
}, 300_000)
