// What charts draw, as numbers: scenes are pure functions of data and size.
import { describe, expect, it } from 'vitest'
import { attentionMatrix } from '../../../src/charts/attention.ts'
import { inkOn, magnitude, tint } from '../../../src/charts/colours.ts'
import { toCsv } from '../../../src/charts/csv.ts'
import { bytes, duration, number, short } from '../../../src/charts/format.ts'
import { cellAt, heatPixels, heatScene, maxPool } from '../../../src/charts/heatmap.ts'
import { lineScene, readingAt, smooth } from '../../../src/charts/lineChart.ts'
import { scaled, shownTokens } from '../../../src/charts/tokens.ts'

const size = { width: 426, height: 256, xLabel: 'step', yLabel: 'nats' }

describe('line chart', () => {
  const series = [
    {
      name: 'Training',
      colour: 'blue',
      points: [
        { x: 1, y: 2 },
        { x: 2, y: 1 },
        { x: 3, y: 0 },
      ],
    },
    { name: 'Validation', colour: 'red', points: [{ x: 3, y: 1 }], marks: true },
  ]

  it('places points in the plot and labels each series at its end', () => {
    const scene = lineScene(series, size)
    expect(scene.plot).toEqual({ x: 52, y: 22, width: 290, height: 200 })
    expect(scene.lines[0]!.path).toBe('M52,22L197,122L342,222')
    expect(scene.lines[1]!.marks).toEqual([{ x: 342, y: 122 }])
    expect(scene.labels.map((label) => [label.text, label.y])).toEqual([
      ['Validation', 122],
      ['Training', 222],
    ])
    expect(scene.yTicks.map((tick) => tick.label)).toEqual(['0', '0.5', '1', '1.5', '2'])
  })

  it('keeps labels apart and inside the plot', () => {
    const close = lineScene(
      ['a', 'b', 'c'].map((name) => ({
        name,
        colour: 'red',
        points: [
          { x: 0, y: 0 },
          { x: 1, y: name === 'a' ? 0.01 : 0 },
        ],
      })),
      size,
    )
    const ys = close.labels.map((label) => label.y)
    expect(ys[1]! - ys[0]!).toBeGreaterThanOrEqual(15)
    expect(ys[2]! - ys[1]!).toBeGreaterThanOrEqual(15)
    expect(ys[2]).toBeLessThanOrEqual(222)
  })

  it('reads the values nearest to the pointer', () => {
    const scene = lineScene(series, size)
    const reading = readingAt(series, scene, 345)
    expect(reading?.x).toBe(3)
    expect(reading?.values.map(({ name, value }) => [name, value])).toEqual([
      ['Training', 0],
      ['Validation', 1],
    ])
    expect(readingAt(series, scene, 60)?.values.map(({ name }) => name)).toEqual(['Training'])
  })

  it('shows a part of the axis, leaves gaps for values that are no number, and survives no data', () => {
    expect(lineScene(series, { ...size, domain: [2, 3] }).lines[0]!.path).toBe('M52,22L342,222')
    const gap = [
      {
        name: 'a',
        colour: 'red',
        points: [
          { x: 0, y: 0 },
          { x: 1, y: NaN },
          { x: 2, y: 1 },
        ],
      },
    ]
    expect(lineScene(gap, size).lines[0]!.path).not.toContain('NaN')
    expect(lineScene([], size).empty).toBe(true)
  })

  it('writes ticks that fit beside the axis', () => {
    const ticks = (top: number) =>
      lineScene(
        [
          {
            name: 'a',
            colour: 'red',
            points: [
              { x: 0, y: 0 },
              { x: 1, y: top },
            ],
          },
        ],
        size,
      ).yTicks.map((tick) => tick.label)
    expect(ticks(1e6)).toEqual(['0', '2e5', '4e5', '6e5', '8e5', '1e6'])
    expect(ticks(0.0025)).toEqual(['0', '0.0005', '0.001', '0.0015', '0.002', '0.0025'])
  })

  it('smooths without a bias at the start', () => {
    const points = [5, 5, 5].map((y, x) => ({ x, y }))
    expect(smooth(points, 10).map((point) => point.y)).toEqual(
      [5, 5, 5].map((value) => expect.closeTo(value, 9)),
    )
  })
})

describe('heat map', () => {
  const matrix = { rows: 2, columns: 2, values: new Float32Array([1, 0, 0.5, 0.5]) }

  it('finds the cell under a point by arithmetic', () => {
    const scene = heatScene(matrix, {
      width: 119,
      maxHeight: 119,
      rowLabels: ['a', 'b'],
      columnLabels: ['a', 'b'],
    })
    expect(scene.cell).toBe(44)
    expect(cellAt(scene, scene.plot.x + 50, scene.plot.y + 1)).toEqual({ row: 0, column: 1 })
    expect(cellAt(scene, 0, 0)).toBeNull()
  })

  it('leaves out labels that would overlap', () => {
    const labels = Array.from({ length: 100 }, (_, index) => `t${index}`)
    const large = { rows: 100, columns: 100, values: new Float32Array(10_000) }
    const scene = heatScene(large, { width: 434, maxHeight: 434, rowLabels: labels, columnLabels: labels })
    expect(scene.cell).toBe(4)
    expect(scene.rowLabels.map((label) => label.index).slice(0, 3)).toEqual([0, 4, 8])
  })

  it('cuts labels that do not fit, and says so', () => {
    const names = ['a_label_that_is_far_too_long', 'b']
    const scene = heatScene(matrix, { width: 200, maxHeight: 200, rowLabels: names, columnLabels: names })
    expect(scene.plot.x).toBe(72)
    expect(scene.rowLabels.map((label) => label.text)).toEqual(['a_label_…', 'b'])
  })

  it('paints the ends of viridis', () => {
    const pixels = heatPixels(matrix, 1)
    expect([...pixels.subarray(0, 4)]).toEqual([253, 231, 37, 255])
    expect([...pixels.subarray(4, 8)]).toEqual([68, 1, 84, 255])
  })

  it('keeps the largest cell when it pools', () => {
    const values = new Float32Array(100 * 100)
    values[57 * 100 + 3] = 0.9
    const pooled = maxPool({ rows: 100, columns: 100, values }, 64)
    expect([pooled.rows, pooled.columns]).toEqual([64, 64])
    expect(pooled.values[Math.floor(57 * 0.64) * 64 + Math.floor(3 * 0.64)]).toBeCloseTo(0.9)
    expect(pooled.values.filter((value) => value > 0)).toHaveLength(1)
  })
})

describe('attention', () => {
  const result = {
    tokens: ['a', 'b'],
    ids: [1, 2],
    layers: 2,
    heads: 2,
    weights: Float32Array.from({ length: 16 }, (_, index) => index),
  }

  it('takes one head, and means over heads and layers', () => {
    expect([...attentionMatrix(result, { layer: 1, head: 0 }).values]).toEqual([8, 9, 10, 11])
    expect([...attentionMatrix(result, { layer: 0, head: 'mean' }).values]).toEqual([2, 3, 4, 5])
    expect([...attentionMatrix(result, { layer: 'mean', head: 1 }).values]).toEqual([8, 9, 10, 11])
    expect([...attentionMatrix(result, { layer: 'mean', head: 'mean' }).values]).toEqual([6, 7, 8, 9])
  })
})

describe('tokens, colours, numbers', () => {
  it('shows spaces and tells special tokens apart', () => {
    expect(
      shownTokens(['<|im_start|>', ' a', '\n', '<b>']).map(({ text, special }) => [text, special]),
    ).toEqual([
      ['<|im_start|>', true],
      ['·a', false],
      ['↵', false],
      ['<b>', false],
    ])
    expect(scaled([2, -4, 0])).toEqual([0.5, -1, 0])
    expect(scaled([0, 0])).toEqual([0, 0])
  })

  it('tints by sign with a neutral middle', () => {
    expect(tint(0, true)).toBe('transparent')
    expect(tint(1, true)).toContain('25')
    expect(tint(-1, true)).toContain('255')
    expect(inkOn(magnitude(1))).toBe('black')
    expect(inkOn(magnitude(0))).toBe('white')
  })

  it('writes numbers that people can read', () => {
    expect(number(0.00024)).toBe('2.4e-4')
    expect(number(-0.00024)).toBe('-2.4e-4')
    expect(number(1e10)).toBe('1e10')
    expect(number(3.14159)).toBe('3.142')
    expect(number(0.1 + 0.2)).toBe('0.3')
    expect(number(12345)).toBe('12,345')
    expect(bytes(13_910_928)).toBe('13.9 MB')
    expect(short(6_950_000)).toBe('6.95 M')
    expect(duration(0.2)).toBe('under 1 s')
    expect(duration(240)).toBe('4 min')
    expect(duration(4800)).toBe('1 h 20 min')
  })

  it('guards cells that a spreadsheet would run', () => {
    expect(
      toCsv({
        columns: ['a', 'b'],
        rows: [
          ['=1+1', -1],
          ['x,"y"', NaN],
        ],
      }),
    ).toBe('a,b\r\n\'=1+1,-1\r\n"x,""y""",\r\n')
  })
})
