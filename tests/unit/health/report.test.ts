// The health report on small tables: every finding with planted positives, and none where nothing is wrong.
import { describe, expect, it } from 'vitest'
import { judge, type HealthContext } from '../../../src/data/health/report.ts'
import type { Table } from '../../../src/data/table.ts'
import type { Finding, FindingKind, HealthOptions } from '../../../src/protocol/health.ts'
import type { CallContext, Progress } from '../../../src/protocol/progress.ts'

function tableOf(columns: string[], rows: string[][], batch = 7): Table {
  return {
    columns,
    rows: rows.length,
    async *batches() {
      for (let start = 0; start < rows.length; start += batch)
        yield await Promise.resolve({ start, rows: rows.slice(start, start + batch) })
    },
  }
}

const CLASSIFY: HealthContext = {
  types: ['text', 'category'],
  config: { task: 'classify', columns: { text: 'text', label: 'label' } },
  parts: null,
  measure: null,
}
const calm = (): CallContext => ({ signal: new AbortController().signal, progress: () => undefined })

async function judged(rows: string[][], options: HealthOptions = {}, context: Partial<HealthContext> = {}) {
  const width = rows[0]!.length
  const columns = ['text', 'label', 'more', 'last'].slice(0, width)
  return judge(
    tableOf(columns, rows),
    { ...CLASSIFY, types: columns.map(() => 'text'), ...context },
    options,
    calm(),
  )
}
async function found(kind: FindingKind, ...given: Parameters<typeof judged>): Promise<Finding[]> {
  return (await judged(...given)).findings.filter((finding) => finding.kind === kind)
}
const rowsOf = (finding: Finding | undefined) => finding?.rows.map(({ row }) => row)

const OPENINGS = ['Where is', 'I cannot find', 'Please send me', 'Tell me about', 'Why do you charge for']
const THINGS = [
  'my parcel',
  'the invoice',
  'that new card',
  'a refund',
  'the old password',
  'this delivery',
  'our contract',
]
const ENDINGS = ['today', 'since last week', 'before the holidays', 'again', 'at the shop', 'in the app']
/** Different sentences of two classes, each class with words of its own. */
function clean(count = 120): string[][] {
  return Array.from({ length: count }, (_, i) => {
    const text = `${OPENINGS[i % 5]!} ${THINGS[i % 7]!} ${ENDINGS[Math.floor(i / 5) % 6]!} number${String.fromCharCode(97 + (i % 26), 97 + (Math.floor(i / 26) % 26))}`
    return i % 2 ? [`${text} thanks`, 'question'] : [`${text} quickly`, 'request']
  })
}
/** The clean rows with some replaced. */
function planted(at: Record<number, string[]>): string[][] {
  return clean().map((row, i) => at[i] ?? row)
}

describe('a clean table', () => {
  it('gives nothing to fix', async () => {
    const report = await judged(clean())
    expect(report.findings.filter(({ severity }) => severity === 'fix')).toEqual([])
    expect(report.findings.map(({ kind }) => kind).filter((kind) => kind !== 'labelWords')).toEqual([])
    expect(report.clean).toContain('exactDuplicates')
    expect(report.skipped.map(({ kind }) => kind).sort()).toEqual(['classCoverage', 'splitLeakage'])
    expect(report).toMatchObject({ rows: 120, columns: ['text'], label: 'label' })
  })
  it('is no error without rows', async () => {
    const report = await judge(tableOf(['text', 'label'], []), CLASSIFY, {}, calm())
    expect(report.findings).toEqual([])
  })
})

describe('rows', () => {
  it('finds empty cells and words that stand for nothing', async () => {
    const [finding] = await found('missing', planted({ 3: ['  ', 'question'], 9: ['N/A', 'question'] }))
    expect(finding).toMatchObject({ column: 'text', count: 2, severity: 'fix' })
    expect(rowsOf(finding)).toEqual([3, 9])
    expect(finding!.remedies[0]!.steps).toEqual([
      { kind: 'mapLabels', column: 'text', map: [['N/A', '']] },
      { kind: 'dropMissing', columns: ['text'] },
    ])
  })
  it('finds exact copies, white space at the ends aside', async () => {
    const rows = clean()
    const [finding] = await found('exactDuplicates', [...rows, [`${rows[4]![0]!} `, rows[4]![1]!]])
    expect(finding).toMatchObject({ count: 1, rows: [{ row: 120, note: 'copy of row 5' }] })
  })
  it('finds texts that say almost the same, by the threshold', async () => {
    const long =
      'the parcel that I ordered two weeks ago has still not arrived at my house and nobody answers'
    const rows = planted({ 11: [long, 'question'], 60: [`${long} me`, 'question'] })
    const [finding] = await found('nearDuplicates', rows)
    expect(finding).toMatchObject({ count: 1, rows: [{ row: 60, note: '94% like row 12' }] })
    expect(finding!.remedies[0]!.steps).toEqual([{ kind: 'dedupeNear', columns: ['text'], threshold: 0.8 }])
    expect(await found('nearDuplicates', rows, { threshold: 0.95 })).toEqual([])
  })
  it('finds the same text with different labels', async () => {
    const [finding] = await found(
      'labelConflicts',
      planted({
        20: ['open until when', 'question'],
        31: ['open until when', 'request'],
        40: ['open until when', ''],
      }),
    )
    expect(finding).toMatchObject({ severity: 'fix', count: 2, column: 'label' })
    expect(finding!.rows).toEqual([
      { row: 20, note: 'says “question”' },
      { row: 31, note: 'says “request”' },
    ])
    expect(finding!.remedies[0]!.steps).toEqual([
      { kind: 'resolveConflicts', columns: ['text'], label: 'label', how: 'majority' },
    ])
  })
})

describe('labels', () => {
  it('names rare classes', async () => {
    const [finding] = await found('rareClasses', planted({ 7: ['I am angry about all this', 'complaint'] }))
    expect(finding).toMatchObject({ severity: 'fix', count: 1, rows: [{ row: 7, note: 'complaint' }] })
  })
  it('says how unequal the classes are', async () => {
    const rows = clean(400).map(([text], i) => [text!, i < 380 ? 'question' : 'request'])
    const [finding] = await found('imbalance', rows)
    expect(finding).toMatchObject({ severity: 'fix', column: 'label' })
    expect(finding!.title).toBe('“question” has 19 times as many rows as “request”')
    // Entropy of 0.95 and 0.05 in bits.
    expect(finding!.explanation).toContain('29% even')
  })
  it('finds rows whose label is likely wrong, and few others', async () => {
    const rows = clean(300)
    const wrong = [10, 41, 77, 120, 151, 188, 222, 260]
    for (const row of wrong) rows[row]![1] = rows[row]![1] === 'question' ? 'request' : 'question'
    const [finding] = await found('mislabelled', rows)
    expect(rowsOf(finding)!.filter((row) => wrong.includes(row))).toHaveLength(wrong.length)
    expect(finding!.count).toBeLessThanOrEqual(wrong.length + 2)
    expect(finding!.remedies[0]!.steps[0]).toMatchObject({ kind: 'dropRows' })
  })
  it('judges rows that it has not learnt from', async () => {
    const rows = clean(300)
    rows.forEach((row, i) => {
      if (i % 25 === 0) row[1] = row[1] === 'question' ? 'request' : 'question'
    })
    const [finding] = await found('mislabelled', rows, { labelRows: 150 })
    expect(finding!.looked).toBe(300)
    const right = rowsOf(finding)!.filter((row) => row % 25 === 0)
    expect(right.length).toBeGreaterThanOrEqual(10)
    expect(right.length / finding!.count).toBeGreaterThan(0.8)
  })
  it('compares classes with a target', async () => {
    const [finding] = await found('classCoverage', clean(), {
      target: { question: 3, request: 1, praise: 0.5 },
    })
    expect(finding!.severity).toBe('fix')
    expect(finding!.title).toBe('1 class of the target is missing')
    expect(finding!.remedies.map(({ steps }) => steps[0])).toMatchObject([
      {
        kind: 'rebalance',
        method: 'under',
        shares: expect.arrayContaining([['question', 3 / 4.5]]) as unknown,
      },
      { kind: 'rebalance', method: 'over' },
    ])
    expect(await found('classCoverage', clean(), { target: { question: 50, request: 50 } })).toEqual([])
  })
})

describe('noise', () => {
  it.each<[FindingKind, string, string]>([
    ['controlCharacters', 'a hidden\u200bspace in here', 'U+200B at character 9'],
    ['mojibake', 'the cafÃ© on the corner', '“cafÃ©” was “café”'],
    ['mojibake', 'lost \ufffd here', 'a character was lost (\ufffd)'],
    ['html', 'a line<br/>and another', '<br/>'],
    ['html', 'fish &amp; chips', '&amp;'],
    ['urls', 'see https://example.org/a?b for more', 'https://example.org/a?b'],
    ['repetition', 'so goooooooooood', '“o” 11 times'],
    ['repetition', 'no no no no no no', '“no” 5 times or more in a row'],
  ])('%s in "%s"', async (kind, text, note) => {
    const [finding] = await found(kind, planted({ 5: [text, 'request'] }))
    expect(finding!.rows).toEqual([{ row: 5, note: expect.stringContaining(note.slice(0, 12)) as string }])
    expect(finding!.rows[0]!.note).toContain(note)
  })
  it.each([
    '1 < 2 and 3 > 2',
    'AT&T; R&D',
    'café in São Paulo, naïve Ångström',
    'MENÜ”',
    '----------',
    'ha ha ha',
  ])('nothing in "%s"', async (text) => {
    const report = await judged(planted({ 5: [text, 'request'] }))
    const kinds = report.findings.map(({ kind }) => kind)
    for (const kind of ['controlCharacters', 'mojibake', 'html', 'urls', 'repetition'] as const)
      expect(kinds).not.toContain(kind)
  })
  it('finds rows in another language', async () => {
    const [finding] = await found(
      'language',
      planted({
        8: ['Ich möchte wissen, wo meine Bestellung ist', 'question'],
        9: ['Где мой заказ? Я жду', 'question'],
      }),
    )
    expect(finding!.rows).toEqual([
      { row: 8, note: 'German' },
      { row: 9, note: 'a language in Cyrillic' },
    ])
  })
  it('finds outliers of length and of characters', async () => {
    const rows = planted({
      6: [Array.from({ length: 300 }, (_, i) => `word${i}`).join(' '), 'question'],
      15: ['4411 2203 9912 3345 1123 4456 7781', 'question'],
    })
    expect(rowsOf((await found('lengthOutliers', rows))[0])).toEqual([6])
    const [finding] = await found('characterOutliers', rows)
    expect(rowsOf(finding)).toContain(15)
    expect(finding!.rows.find(({ row }) => row === 15)!.note).toBe('100% digits')
  })
})

describe('people', () => {
  it('finds personal data by type, and offers to redact it', async () => {
    const rows = planted({
      2: ['write to ada@example.org', 'request'],
      3: ['IBAN DE89370400440532013000', 'request'],
    })
    const findings = await found('personalData', rows)
    expect(findings.map(({ id }) => id).sort()).toEqual(['personalData:email', 'personalData:iban'])
    const email = findings.find(({ id }) => id === 'personalData:email')!
    expect(email).toMatchObject({ severity: 'fix', rows: [{ row: 2, note: 'ada@example.org' }] })
    expect(email.remedies[0]!.steps).toEqual([{ kind: 'redact', columns: ['text'], kinds: ['email'] }])
  })
  it('tells groups that stand beside one label from those that do not', async () => {
    const rows = clean(400).map(([text, label], i): string[] => [
      i % 2 === 1 && i % 4 === 1
        ? `${text!} said the woman`
        : i % 8 === 0 || i % 8 === 3
          ? `${text!} said the man`
          : text!,
      label!,
    ])
    const [finding] = await found('groups', rows)
    expect(finding!.severity).toBe('check')
    expect(finding!.title).toBe('Mentions of women differ from label to label')
    const bar = finding!.charts![0]!.intervals.find(({ label }) => label === 'question')!
    expect(bar.count).toBe(100)
    expect(bar.share).toBeCloseTo(0.5, 10)
    // Wilson for 100 of 200, as statsmodels has it.
    expect(bar.low).toBeCloseTo(0.4314, 4)
    expect(bar.high).toBeCloseTo(0.5686, 4)
  })
  it('takes a lexicon of ones own', async () => {
    const groups = [{ theme: 'job', name: 'nurses', words: ['nurse', 'head nurse'] }]
    const [finding] = await found('groups', planted({ 4: ['the head nurse said so', 'request'] }), { groups })
    expect(finding).toMatchObject({
      count: 1,
      severity: 'know',
      rows: [{ row: 4, note: 'nurses (“head nurse”)' }],
    })
  })
})

describe('leakage', () => {
  const parts = Uint8Array.from({ length: 120 }, (_, i) => (i % 10 === 9 ? 2 : i % 10 === 8 ? 1 : 0))
  it('finds held-out rows that are in training, exactly or nearly', async () => {
    const long =
      'the parcel that I ordered two weeks ago has still not arrived at my house and nobody answers'
    const rows = planted({ 1: [long, 'question'], 8: [long, 'question'], 19: [`${long} me`, 'question'] })
    const [finding] = await found('splitLeakage', rows, {}, { parts })
    expect(finding).toMatchObject({ severity: 'fix', count: 2 })
    expect(finding!.rows).toEqual([
      { row: 8, note: 'validation: the same text as training row 2' },
      { row: 19, note: 'test: 94% like training row 2' },
    ])
    expect(await found('splitLeakage', clean(), {}, { parts })).toEqual([])
  })
  it('finds a column that gives the label away', async () => {
    const rows = clean().map(([text, label], i) => [
      text!,
      label!,
      label === 'question' ? 'Q' : 'R',
      String(i % 5),
    ])
    const findings = await found('labelLeakage', rows)
    expect(findings.map(({ column }) => column)).toEqual(['more'])
    expect(findings[0]!.remedies[0]!.steps).toEqual([{ kind: 'columns', columns: ['more'], how: 'drop' }])
  })
  it('finds texts that hold their label', async () => {
    const rows = clean().map(([text, label]) => [`${text!} ${label!}`, label!])
    expect((await found('labelLeakage', rows))[0]).toMatchObject({ id: 'labelLeakage:text', count: 120 })
    // A part of another word is not the name.
    const parts = clean().map(([text, label]) => [`${text!} un${label!}ed`, label!])
    expect(await found('labelLeakage', parts)).toEqual([])
  })
})

describe('lengths', () => {
  it('estimates what is cut, and says that it is an estimate', async () => {
    const rows = planted({ 6: ['long '.repeat(500), 'question'] })
    const [finding] = await found('truncation', rows)
    expect(rowsOf(finding)).toEqual([6])
    expect(finding!.explanation).toContain('This is an estimate')
    const [empty] = await found('unlearnable', planted({ 4: ['', 'question'] }))
    expect(empty).toMatchObject({
      count: 1,
      severity: 'fix',
      rows: [{ row: 4, note: 'There is no text to learn.' }],
    })
  })
  it('counts with a tokenizer where there is one', async () => {
    const measure = {
      model: 'Tiny',
      of: (cells: readonly string[]) => ({
        tokens: cells[0]!.length,
        truncated: cells[0]!.length > 79,
        problem: null,
      }),
    }
    const [finding] = await found('truncation', planted({ 6: ['x'.repeat(80), 'question'] }), {}, { measure })
    expect(finding!.rows).toEqual([{ row: 6, note: '80 tokens' }])
    expect(finding!.explanation).toContain('Counted with the tokenizer of Tiny.')
  })
})

describe('the report', () => {
  it('puts first what to fix first', async () => {
    const rows = planted({
      3: ['', 'question'],
      5: ['see www.example.org', 'request'],
      6: ['fish &amp; chips', 'request'],
    })
    const severities = (await judged(rows)).findings.map(({ severity }) => severity)
    expect(severities).toEqual(
      [...severities].sort((a, b) => 'fix check know'.indexOf(a) - 'fix check know'.indexOf(b)),
    )
    expect(severities[0]).toBe('fix')
  })
  it('is the same twice, whatever the batches', async () => {
    const rows = planted({ 3: ['', 'question'], 50: ['fish &amp; chips', 'question'] })
    const first = await judge(tableOf(['text', 'label'], rows, 1), CLASSIFY, {}, calm())
    expect(await judge(tableOf(['text', 'label'], rows, 64), CLASSIFY, {}, calm())).toEqual(first)
  })
  it('tells how far it is, and stops when asked', async () => {
    const seen: Progress[] = []
    const controller = new AbortController()
    const rows = clean(2000)
    const context = { signal: controller.signal, progress: (progress: Progress) => void seen.push(progress) }
    await judge(tableOf(['text', 'label'], rows), CLASSIFY, {}, context)
    expect(seen.filter(({ label }) => label === 'Looking at the rows').at(-1)).toMatchObject({
      done: 2000,
      total: 2000,
    })
    controller.abort()
    await expect(judge(tableOf(['text', 'label'], rows), CLASSIFY, {}, context)).rejects.toMatchObject({
      code: 'E_ABORTED',
    })
  })
  it.each<[HealthOptions, string]>([
    [{ threshold: 0.2 }, 'E_ARGUMENT'],
    [{ shingle: 0 }, 'E_ARGUMENT'],
    [{ target: { a: -1 } }, 'E_ARGUMENT'],
    [{ columns: ['nothing'] }, 'E_DATASET'],
    [{ label: 'nothing' }, 'E_DATASET'],
  ])('refuses %j', async (options, code) => {
    await expect(judged(clean(), options)).rejects.toMatchObject({ code })
  })
  it('stays quick on long cells made against it', async () => {
    const pieces = [
      '<a ',
      '<a b',
      '&amp',
      'www.a',
      'http://',
      'a',
      'ab ',
      '=-',
      'Ã',
      'Ã©',
      '\u200b',
      'the the ',
      '漢字',
      '{"',
    ]
    const rows = pieces.map((piece, i) => [piece.repeat(60_000), i % 2 ? 'question' : 'request'])
    const started = performance.now()
    await judged([...clean(), ...rows])
    expect(performance.now() - started).toBeLessThan(15_000)
  })
  it('takes markup and odd names as text', async () => {
    const columns = ['__proto__', 'constructor']
    const rows = clean().map(([text], i) => [text!, i % 2 ? '<img src=x onerror=alert(1)>' : '__proto__'])
    const context = { ...CLASSIFY, config: null }
    const report = await judge(
      tableOf(columns, rows),
      context,
      { columns: ['__proto__'], label: 'constructor' },
      calm(),
    )
    expect(report.label).toBe('constructor')
    expect(report.rows).toBe(120)
  })
})
