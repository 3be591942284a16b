// The table's own logic: where keys lead, which columns are drawn, how a tall box scrolls, what is marked; and the bars of a chart.
import { describe, expect, it } from 'vitest'
import { barAt, barScene } from '../../../src/charts/barChart.ts'
import type { Column } from '../../../src/protocol/data.ts'
import { Glide, rowWindow } from '../../../src/ui/windowing.ts'
import { filterOf, filterWords } from '../../../src/views/data/filterWords.ts'
import { cellLine, columnWidths, columnWindow, marked, moved } from '../../../src/views/data/tableColumns.ts'

describe('keys', () => {
  const size = { rows: 100, columns: 5, page: 10 }
  const to = (key: string, row: number, column: number, ctrlKey = false) => {
    const cell = moved({ key, ctrlKey, metaKey: false }, { row, column }, size)
    return cell && [cell.row, cell.column]
  }
  it.each([
    ['ArrowDown', [5, 2], [6, 2]],
    ['ArrowUp', [0, 2], [-1, 2]],
    ['ArrowUp', [-1, 2], [-1, 2]],
    ['ArrowRight', [5, 4], [5, 4]],
    ['PageDown', [95, 2], [99, 2]],
    ['PageUp', [4, 2], [0, 2]],
    ['Home', [5, 2], [5, 0]],
    ['End', [5, 2], [5, 4]],
  ] as const)('%s from %j', (key, [row, column], cell) => expect(to(key, row, column)).toEqual(cell))
  it('to the corners with Ctrl; other keys lead nowhere', () => {
    expect([to('Home', 5, 2, true), to('End', 5, 2, true), to('a', 5, 2), to('constructor', 5, 2)]).toEqual([
      [0, 0],
      [99, 4],
      null,
      null,
    ])
  })
})

describe('a box taller than a browser can scroll', () => {
  const input = { rows: 1_000_000, rowHeight: 32, viewport: 500 }
  it('moves as the wheel turns, jumps as the scrollbar is dragged, and reaches both ends', () => {
    const glide = new Glide()
    glide.scrolled(240, input)
    expect(glide.offset).toBe(240)
    glide.arrived(glide.resting(input))
    expect(glide.scrollTop).toBeLessThan(61)
    glide.scrolled(4_000_000, input)
    expect(Math.abs(glide.offset / 32 - 500_000)).toBeLessThan(40)
    glide.scrolled(8_000_000 - 500, input)
    expect(glide.offset).toBe(32_000_000 - 500)
    expect(rowWindow({ ...input, scrollTop: glide.scrollTop, offset: glide.offset }).last).toBe(1_000_000)
    glide.scrolled(0, input)
    expect(glide.offset).toBe(0)
  })
  it('the first row drawn is where the box shows it', () => {
    const glide = new Glide()
    glide.arrived(glide.go(3_200_016, input))
    const { first, top } = rowWindow({ ...input, scrollTop: glide.scrollTop, offset: glide.offset })
    expect(top - glide.scrollTop).toBeCloseTo(first * 32 - 3_200_016, 6)
  })
})

describe('columns', () => {
  const column = (name: string, type: Column['type'], meanLength: number): Column => ({
    name,
    type,
    meanLength,
    missing: 0,
    distinct: 1,
  })
  it('fill the room; long texts give way first', () => {
    const columns = [column('text', 'text', 200), column('price', 'number', 4)]
    expect(columnWidths(columns, 900)).toEqual([796, 104])
    expect(columnWidths(columns, 400)).toEqual([296, 104])
    expect(columnWidths(columns, 100)).toEqual([240, 104])
  })
  it('only those in sight are drawn, and one on either side', () => {
    const widths = new Array<number>(1000).fill(100)
    expect(columnWindow(widths, 0, 350)).toEqual({ first: 0, last: 5, skipped: 0 })
    expect(columnWindow(widths, 5050, 350)).toEqual({ first: 49, last: 55, skipped: 4900 })
    expect(columnWindow(widths, 99_900, 350).last).toBe(1000)
  })
})

describe('hits and filters', () => {
  it('a line begins shortly before its first hit', () => {
    expect(marked('my card', [[3, 7]])).toEqual([
      { text: 'my ', hit: false },
      { text: 'card', hit: true },
    ])
    const line = cellLine(`${'x'.repeat(300)} card`, [[301, 305]])
    expect([line[0]!.text, line.at(-1)]).toEqual(['…', { text: 'card', hit: true }])
    expect(line.map(({ text }) => text).join('').length).toBeLessThan(60)
  })
  it('conditions as they are read', () => {
    expect(filterOf('a', 'contains not', 'x', '')).toEqual({
      column: 'a',
      is: 'contains',
      text: 'x',
      not: true,
    })
    expect(filterOf('a', 'between', '', ' ')).toBeNull()
    expect(filterWords(filterOf('a', 'between', '3', '9')!)).toBe('a is from 3 to 9')
    expect(filterWords({ column: 'a', is: 'empty', not: true })).toBe('a is not empty')
  })
})

describe('bars', () => {
  it('stand side by side, as tall as their counts, and the far one says so', () => {
    const bins = [
      { from: 0, to: 10, count: 5 },
      { from: 10, to: 20, count: 10 },
      { from: 20, to: 30, count: 0 },
      { from: 30, to: 500, count: 1 },
    ]
    const scene = barScene(bins, { width: 244, height: 128 })
    expect(scene.bars.map(({ height }) => height)).toEqual([50, 100, 0, 10])
    expect(scene.bars.map(({ far }) => far)).toEqual([false, false, false, true])
    expect(scene.bars[1]!.label).toBe('10 to 20')
    expect(bins.map((_, i) => barAt(scene, 45 + i * 51))).toEqual([0, 1, 2, 3])
    expect(barAt(scene, 10)).toBeNull()
  })
  it('of whole numbers and of time are named by what they hold', () => {
    expect(barScene([{ from: 2.5, to: 3.5, count: 1 }], { width: 200, height: 100 }).bars[0]!.label).toBe('3')
    const may = Date.UTC(2025, 4, 1)
    expect(
      barScene([{ from: may, to: may, count: 1 }], { width: 200, height: 100, unit: 'month' }).bars[0]!.label,
    ).toBe('May 2025')
  })
})
