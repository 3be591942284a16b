// What a report offers mends what it found: each remedy, applied and looked at again.
import 'fake-indexeddb/auto'
import { expect, test } from 'vitest'
import type { Finding } from '../../../src/protocol/health.ts'
import type { RebalanceStep } from '../../../src/protocol/recipe.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import { openStore } from '../../../src/store/database.ts'
import { dataCalls } from '../../../workers/dataCalls.ts'

const context: CallContext = { signal: new AbortController().signal, progress: () => undefined }
let stores = 0
const WORDS = 'please tell me how the parcel and the refund for my last order can be found here today'.split(
  ' ',
)
const sentence = (seed: number, words = 9): string =>
  Array.from({ length: words }, (_, i) => WORDS[(seed * 7 + i * (1 + (seed % 5))) % WORDS.length]).join(' ')

async function reportOf(rows: readonly (readonly [text: string, label: string])[]) {
  const calls = dataCalls(
    () => undefined,
    () => openStore({ name: `remedies-${stores++}` }),
  )
  const more = rows[0]![1].includes(',') ? ',number' : ''
  const csv = `text,label${more}\n${rows.map(([text, label]) => `"${text}",${label}`).join('\n')}\n`
  const { id } = await calls.importFiles({ files: [new File([csv], 'a.csv')], options: {} }, context)
  await calls.configure(
    { id, config: { task: 'classify', columns: { text: 'text', label: 'label' } } },
    context,
  )
  const report = () => calls.health({ id, options: {} }, context)
  const find = async (kind: Finding['kind']) =>
    (await report()).findings.find((finding) => finding.kind === kind)
  return {
    report,
    find,
    /** Applies a remedy to the raw rows; how many rows it took away. */
    async mend(steps: Finding['remedies'][number]['steps']) {
      const { rows } = await calls.applyRecipe({ id, recipe: [] }, context)
      return rows - (await calls.applyRecipe({ id, recipe: steps }, context)).rows
    },
  }
}

test('rows cut to the length that is offered are no longer too long', async () => {
  const rows = Array.from({ length: 60 }, (_, i): [string, string] => [
    `${sentence(i, 7 + (i % 5))} ${i}`,
    'ab'[i % 2]!,
  ])
  const { find, mend } = await reportOf([...rows, [sentence(3, 900), 'a']])
  const found = await find('lengthOutliers')
  expect([found!.count, found!.remedies[0]!.steps[0]!.kind]).toEqual([1, 'truncate'])
  expect(await mend(found!.remedies[0]!.steps)).toBe(0)
  expect(await find('lengthOutliers')).toBeUndefined()
})

test('texts that come again are found, whatever number their rows have', async () => {
  const rows = Array.from({ length: 40 }, (_, i): [string, string] => [`${sentence(i)} ${i}`, 'ab'[i % 2]!])
  const numbered = [...rows, rows[3]!, rows[8]!, [rows[5]![0], 'a'] as const]
  const { find, mend } = await reportOf(numbered.map(([text, label], i) => [text, `${label},${i}`] as const))
  const found = await find('exactDuplicates')
  // The one with another label is a conflict, and told as such.
  expect(found).toMatchObject({ id: 'exactDuplicates:texts', rows: [{ row: 40 }, { row: 41 }] })
  expect(await mend(found!.remedies[0]!.steps)).toBe(2)
  expect(await find('exactDuplicates')).toBeUndefined()
})

test('conflicts are resolved in the rows that were named; rows without a text are no conflict', async () => {
  const rows = Array.from({ length: 30 }, (_, i): [string, string] => [`${sentence(i)} ${i}`, 'ab'[i % 2]!])
  const { find, mend } = await reportOf([...rows, ['', 'a'], [' ', 'b'], [rows[0]![0], 'b']])
  const found = await find('labelConflicts')
  expect(found!.count).toBe(2)
  for (const { steps } of found!.remedies) {
    expect(await mend(steps)).toBe(2)
    expect(await find('labelConflicts')).toBeUndefined()
  }
})

test('classes that were evened out in training are told no longer', async () => {
  const rows = Array.from({ length: 240 }, (_, i): [string, string] => [
    `${sentence(i)} ${i}`,
    i % 12 ? 'a' : 'b',
  ])
  const { find, mend } = await reportOf(rows)
  const found = await find('imbalance')
  expect(found!.table!.rows.map(([name, count]) => [name, count])).toEqual([
    ['a', 176],
    ['b', 16],
  ])
  const [over, under, weigh] = found!.remedies
  await mend([{ ...over!.steps[0]!, most: 20 } as RebalanceStep])
  expect(await find('imbalance')).toBeUndefined()
  await mend(under!.steps)
  expect(await find('imbalance')).toBeUndefined()
  await mend(weigh!.steps)
  expect(await find('imbalance')).toMatchObject({ severity: 'know' })
})

test('words that give a label away are shown with their rows, and taken out', async () => {
  const rows = Array.from({ length: 120 }, (_, i): [string, string] =>
    i % 3 === 0 ? [`Zebra, ${sentence(i)} ${i}`, 'a'] : [`${sentence(i)} ${i}`, 'b'],
  )
  const { find, mend } = await reportOf(rows)
  const found = await find('labelWords')
  expect(found).toMatchObject({ severity: 'check', count: 40 })
  expect(found!.rows.slice(0, 2)).toEqual([
    { row: 0, note: '“zebra”' },
    { row: 3, note: '“zebra”' },
  ])
  expect(found!.remedies[0]!.label).toBe('Take the word out')
  expect(await mend(found!.remedies[0]!.steps)).toBe(0)
  expect((await find('labelWords'))?.severity ?? 'know').toBe('know')
})

test('texts that hold the name of their label lose it', async () => {
  // "no" is too short to be meant, and many texts have it; "--" is no word.
  const rows = Array.from({ length: 90 }, (_, i): [string, string] => {
    const label = i % 10 === 0 ? 'no' : i % 10 === 1 ? '--' : ['card_lost', 'cash', 'pin'][i % 3]!
    return [`no ${sentence(i)}: ${label.replace('_', ' ')} ${i}`, label]
  })
  const { find, mend } = await reportOf(rows)
  const found = await find('labelLeakage')
  expect(found).toMatchObject({ id: 'labelLeakage:text', count: 72 })
  expect(found!.remedies[0]!.steps).toMatchObject([{ words: ['pin', 'card_lost', 'cash'] }])
  expect(await mend(found!.remedies[0]!.steps)).toBe(0)
  expect(await find('labelLeakage')).toBeUndefined()
})

test('who is meant reads alike beside every label', async () => {
  const rows = Array.from({ length: 400 }, (_, i): [string, string] => [
    `${sentence(i)} ${i}${i % 4 === 1 ? ' said the woman' : i % 8 === 0 || i % 8 === 3 ? ' said the man' : ''}`,
    'ab'[i % 2]!,
  ])
  const { find, mend } = await reportOf(rows)
  const found = await find('groups')
  expect(found).toMatchObject({ severity: 'check', title: 'Mentions of women differ from label to label' })
  expect(found!.remedies[0]!.label).toBe('Write [GENDER] in place of who is meant')
  expect(await mend(found!.remedies[0]!.steps)).toBe(0)
  expect(await find('groups')).toBeUndefined()
})

test('every finding that asks for something offers something', async () => {
  const rows = Array.from({ length: 300 }, (_, i): [string, string] => [
    `${sentence(i)} ${i % 7 ? i : ''}${i % 4 === 1 ? ' said the woman, b' : ''}${i % 50 ? '' : ' <b>Ã©</b> http://x.yz a@b.example'}`,
    i % 60 ? 'ab'[i % 2]! : 'rare',
  ])
  const { report } = await reportOf([...rows, ['', 'a'], rows[3]!, [rows[5]![0], 'a']])
  const asking = (await report()).findings.filter(({ severity }) => severity !== 'know')
  expect(asking.length).toBeGreaterThan(5)
  expect(asking.filter(({ remedies }) => remedies.length === 0).map(({ id }) => id)).toEqual([])
})
