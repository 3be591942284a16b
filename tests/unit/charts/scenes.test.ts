// What charts draw, as numbers: scenes are pure functions of data and size.
import { describe, expect, it } from 'vitest'
import {
  attentionMatrix,
  parseChoice,
  thumbnails,
  withMeans,
  withoutHidden,
} from '../../../src/charts/attention.ts'
import { ABOVE, BELOW, inkOn, magnitude, tint } from '../../../src/charts/colours.ts'
import { toCsv } from '../../../src/charts/csv.ts'
import { bytes, duration, number, short } from '../../../src/charts/format.ts'
import {
  brightest,
  cellAt,
  heatPixels,
  heatScene,
  maxPool,
  showing,
  visibleCells,
} from '../../../src/charts/heatmap.ts'
import { inSlices } from '../../../src/charts/slices.ts'
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
  const plain = {
    tokens: ['a', 'b'],
    layers: 2,
    heads: 2,
    weights: Float32Array.from({ length: 16 }, (_, index) => index),
  }

  const whole = <T>(work: Generator<void, T>): T => {
    for (;;) {
      const { done, value } = work.next()
      if (done) return value
    }
  }

  it('takes one head, and means over heads and layers', () => {
    const result = whole(withMeans(plain))
    expect([...attentionMatrix(result, { layer: 1, head: 0 }).values]).toEqual([8, 9, 10, 11])
    expect([...attentionMatrix(result, { layer: 0, head: 'mean' }).values]).toEqual([2, 3, 4, 5])
    expect([...attentionMatrix(result, { layer: 'mean', head: 1 }).values]).toEqual([8, 9, 10, 11])
    expect([...attentionMatrix(result, { layer: 'mean', head: 'mean' }).values]).toEqual([6, 7, 8, 9])
  })

  it('makes thumbnails of every choice, with the means at the edges', () => {
    const { size, rows, columns, values, tops } = whole(thumbnails(whole(withMeans(plain))))
    expect([size, rows, columns]).toEqual([2, 3, 3])
    const of = (at: number) => [...values.subarray(at * 4, at * 4 + 4)]
    expect(of(0)).toEqual([6, 7, 8, 9])
    expect(of(1)).toEqual([4, 5, 6, 7])
    expect(of(3)).toEqual([2, 3, 4, 5])
    expect(of(8)).toEqual([12, 13, 14, 15])
    expect([...tops]).toEqual([9, 7, 11, 5, 3, 7, 13, 11, 15])
  })

  it('pools long texts to 64 cells, keeps the sign of the largest and leaves hidden tokens out', () => {
    const n = 130
    const weights = new Float32Array(n * n)
    weights[100 * n + 3] = -0.5
    weights[101 * n + 3] = 0.4
    weights[5 * n] = 9
    const tokens = Array.from({ length: n }, (_, at) => `t${at}`)
    const hidden = Uint8Array.from(tokens, (_, at) => Number(at === 0 || at === 1))
    const maps = whole(withMeans({ layers: 1, heads: 1, tokens, weights }))
    const { size, values } = whole(thumbnails(maps, hidden))
    expect(size).toBe(64)
    // Rows 2 to 129 fall two by two into 64 bins: 100 and 101 into the same.
    expect(values[49 * 64 + 0]).toBeCloseTo(-0.5)
    expect(values.subarray(0, 64 * 64).filter((value) => value !== 0)).toHaveLength(1)
    expect(withoutHidden({ rows: n, columns: n, values: weights }, hidden).values[98 * 128 + 1]).toBe(-0.5)
  })

  it('is not left dark by a few large cells, and shows the largest of few', () => {
    const n = 200
    const uniform = Float32Array.from({ length: n * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n]
      return j <= i ? 1 / (i + 1) : 0
    })
    const top = brightest(uniform, 0.005)
    // As many cells as that are in the first 14 rows.
    expect(top).toBeGreaterThan(1 / 20)
    expect(top).toBeLessThan(1 / 9)
    expect(brightest(Float32Array.of(0.1, -0.9, 0.3), 0.005)).toBeCloseTo(0.9)
  })

  it('reads a choice of the address', () => {
    expect(parseChoice('3.mean')).toEqual({ layer: 3, head: 'mean' })
    for (const wrong of ['3', 'x.1', '1.2.3', undefined]) expect(parseChoice(wrong)).toBeNull()
  })
})

describe('long work in slices', () => {
  it('stops for a frame when a slice is over, and for good when it is told to', async () => {
    let paused = 0
    const pause = () => Promise.resolve(void paused++)
    function* work(): Generator<void, string> {
      for (let step = 0; step < 4; step++) {
        const until = performance.now() + 4
        while (performance.now() < until);
        yield
      }
      return 'done'
    }
    const slices: number[] = []
    expect(await inSlices(work(), undefined, { pause, onSlice: (took) => slices.push(took) })).toBe('done')
    expect(paused).toBeGreaterThanOrEqual(1)
    expect(slices).toHaveLength(paused + 1)
    expect(await inSlices(work(), () => true, { pause })).toBeUndefined()
  })
})

describe('colours of signed cells', () => {
  it('leave 0 to the page, are the same strength on both sides, and never round a sign away', () => {
    const pixels = heatPixels({ rows: 1, columns: 3, values: new Float32Array([-1, 0, 1]) }, 1, 'signed')
    expect([...pixels]).toEqual([...BELOW, 255, pixels[4], pixels[5], pixels[6], 0, ...ABOVE, 255])
  })

  it('are told apart with every kind of colour vision, on both pages', () => {
    for (const [name, matrix] of Object.entries(VISION)) {
      const [below, above] = [BELOW, ABOVE].map((colour) => labOf(seenBy(matrix, colour)))
      expect(distance(below!, above!), name).toBeGreaterThan(60)
      for (const page of [
        [255, 255, 255],
        [30, 32, 30],
      ])
        for (const end of [below!, above!])
          expect(distance(end, labOf(page.map(linear))), `${name} on ${page[0]}`).toBeGreaterThan(35)
    }
  })

  const linear = (value: number) => {
    const share = value / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }
  /** Machado, Oliveira and Fernandes 2009, severity 1: linear RGB as it is seen. */
  const VISION = {
    normal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
    protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
    deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
    tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
  }
  function seenBy(matrix: number[], colour: readonly number[]) {
    const [r, g, b] = colour.map(linear) as [number, number, number]
    return [0, 1, 2].map((row) =>
      Math.min(1, Math.max(0, matrix[3 * row]! * r + matrix[3 * row + 1]! * g + matrix[3 * row + 2]! * b)),
    )
  }
  /** CIE Lab of linear sRGB under D65. */
  function labOf([r, g, b]: number[]) {
    const f = (t: number) => (t > 216 / 24389 ? Math.cbrt(t) : (24389 / 27) * (t / 116) + 16 / 116)
    const x = f((0.4124 * r! + 0.3576 * g! + 0.1805 * b!) / 0.9505)
    const y = f(0.2126 * r! + 0.7152 * g! + 0.0722 * b!)
    const z = f((0.0193 * r! + 0.1192 * g! + 0.9505 * b!) / 1.089)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
  }
  const distance = (a: number[], b: number[]) => Math.hypot(...a.map((value, at) => value - b[at]!))
})

describe('the view of a heat map', () => {
  const n = 512
  const labels = Array.from({ length: n }, (_, at) => `t${at}`)
  const matrix = { rows: n, columns: n, values: new Float32Array(n * n) }
  const options = { width: 700, maxHeight: 640, rowLabels: labels, columnLabels: labels }
  const all = heatScene(matrix, options)

  it('finds under a point the cell that is drawn there, wherever the map is moved', () => {
    for (const view of [
      { k: 1, x: 0, y: 0 },
      { k: 3.7, x: -611.3, y: -902.1 },
      { k: 16, x: -4000, y: -2500 },
    ]) {
      const scene = heatScene(matrix, { ...options, view })
      for (const [px, py] of [
        [0.1, 0.1],
        [300.2, 17.9],
        [411.5, 399.4],
      ]) {
        const [x, y] = [scene.plot.x + px!, scene.plot.y + py!]
        const cell = cellAt(scene, x, y)!
        // Back through the view into the whole map.
        expect(cellAt(all, (x - view.x) / view.k, (y - view.y) / view.k)).toEqual(cell)
      }
      expect(cellAt(scene, scene.plot.x - 1, scene.plot.y + 5)).toBeNull()
    }
  })

  it('labels only what is in the window, at most as many as there is room for', () => {
    for (const k of [1, 4, 12]) {
      const view = { k, x: -k * 200, y: -k * 200 }
      const scene = heatScene(matrix, { ...options, view: k === 1 ? { k, x: 0, y: 0 } : view })
      expect(scene.rowLabels.length).toBeLessThanOrEqual(scene.plot.height / 13 + 1)
      for (const { at, index } of scene.rowLabels) {
        expect(at).toBeGreaterThanOrEqual(scene.plot.y - 1)
        expect(at).toBeLessThanOrEqual(scene.plot.y + scene.plot.height)
        expect(
          cellAt(scene, scene.plot.x + 1, Math.min(at, scene.plot.y + scene.plot.height - 0.01))?.row,
        ).toBe(index)
      }
    }
  })

  it('has in its window the cells from corner to corner', () => {
    const scene = heatScene(matrix, { ...options, view: { k: 16, x: -4000, y: -2500 } })
    const { x, y, width, height } = scene.plot
    const cells = visibleCells(scene)
    expect(cells[0]).toEqual(cellAt(scene, x + 0.01, y + 0.01))
    expect(cells.at(-1)).toEqual(cellAt(scene, x + width - 0.01, y + height - 0.01))
    const across = cells.at(-1)!.column - cells[0]!.column + 1
    expect(cells).toHaveLength(across * (cells.at(-1)!.row - cells[0]!.row + 1))
    expect(cells[across]).toEqual({ row: cells[0]!.row + 1, column: cells[0]!.column })
    expect(visibleCells(all)).toHaveLength(n * n)
  })

  it('moves as little as needed to show a cell', () => {
    const view = { k: 8, x: -3000, y: -3000 }
    const scene = heatScene(matrix, { ...options, view })
    const inside = cellAt(scene, scene.plot.x + 50, scene.plot.y + 50)!
    expect(showing(scene, view, inside)).toEqual(view)
    const moved = heatScene(matrix, { ...options, view: showing(scene, view, { row: 0, column: 511 }) })
    const { plot, origin, cell } = moved
    expect(origin.y).toBeCloseTo(plot.y)
    expect(origin.x + 512 * cell).toBeCloseTo(plot.x + plot.width)
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
    const begins = (tokens: string[]) => shownTokens(tokens).map((token) => token.begins)
    expect(begins(['I', ' was', ' char', 'ged', '.'])).toEqual([false, true, true, false, false])
    expect(begins(['[CLS]', 'char', '##ged', 'twice'])).toEqual([true, true, false, true])
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
    const rows = ['-1+1', '+1', '@a', '\t=1', 'two\nlines', 'a-b'].map((text) => [text])
    expect(toCsv({ columns: ['a'], rows })).toBe(
      `a\r\n'-1+1\r\n'+1\r\n'@a\r\n'\t=1\r\n"two\nlines"\r\na-b\r\n`,
    )
  })
})
