// The ways in which the tiled products and the row kernels can be written, by names that say what they are: "64x128 f16" is
// a tile of 64 rows and 128 columns with the weights as halves. Which one is fastest is the GPU's business: it is tried
// out (tuner.ts). All are right for every shape; sums may be rounded differently.
import { across, along, cellsOf, SIDE, THREADS, type Tile } from '../tiles.ts'

/** What is taken where nothing was tried out. */
export const DEFAULT = 'default'
/** Sums and maxima of a row by subgroups rather than through shared memory. */
export const SUBGROUPS = 'subgroups'

/** Rows and columns beside the default's 64 columns and as many rows as leave enough workgroups. */
const SIZES = [
  [32, 64],
  [64, 64],
  [128, 64],
  [64, 128],
] as const
/** Those of them that are tried with halves too. */
const WITH_HALVES = ['64x128']

/** Shared memory that readers may need beside the tiles: the tables of NF4. */
const TABLES = 2048

/** What the device can do, as far as settings ask. */
export interface Abilities {
  half: boolean
  subgroups: boolean
  /** Bytes of shared memory of a workgroup. */
  shared: number
}

export interface TiledShape {
  /** B along the inner dimension, or across it. */
  side: 'along' | 'across'
  rows: number
  /** Tiles of that many columns. */
  columnTiles(width: number): number
  /** Weights lose nothing as halves. */
  half: boolean
}

/** The tile of a setting. */
export function tileOf(setting: string, { side, rows, columnTiles }: TiledShape): Tile {
  const [size, ...options] = setting.split(' ')
  const half = options.includes('f16') || size === 'f16'
  const [height, width] = /^\d+x\d+$/.test(size!)
    ? (size!.split('x').map(Number) as [number, number])
    : [SIDE * cellsOf(rows, SIDE, columnTiles(64)), 64]
  if (side === 'along') return along(height / SIDE, width / SIDE, half)
  const quads = (width / 4) as 16 | 32
  return across((height * quads) / THREADS, quads, half)
}

/** What may be tried for a product on this device, the default first; no two of them are the same. */
export function tileSettings(shape: TiledShape, { half, shared }: Abilities): string[] {
  const usual = tileOf(DEFAULT, shape)
  const sizes = SIZES.filter(
    ([height, width]) =>
      (height !== usual.height || width !== usual.width) && (height <= 32 || height / 2 < shape.rows),
  ).map((size) => size.join('x'))
  const plain = [DEFAULT, ...sizes]
  const often = sizes.filter((size) => WITH_HALVES.includes(size)).map((size) => `${size} f16`)
  const halves = half && shape.half ? ['f16', ...often] : []
  return [...plain, ...halves].filter(
    (setting) => setting === DEFAULT || tileOf(setting, shape).bytes + TABLES <= shared,
  )
}

/** What may be tried for a row kernel. */
export function rowSettings({ subgroups }: Abilities): string[] {
  return subgroups ? [DEFAULT, SUBGROUPS] : [DEFAULT]
}

/** The language extensions that a setting needs. */
export function enables(setting: string): ('f16' | 'subgroups')[] {
  if (setting === SUBGROUPS) return ['subgroups']
  return setting.split(' ').includes('f16') ? ['f16'] : []
}

/** Sizes in one class share a choice: the next power of two. */
export function sizeClass(size: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, size)))
}
