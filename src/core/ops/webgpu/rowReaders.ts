// How products with few rows read weights: a piece of a row at a time, eight packed bytes or four float32, unpacked into
// vec4<f32>. What has a factor for a whole row (int8) leaves it out of the pieces, and the sum is multiplied by it once.
// Shapes whose rows are no whole pieces are read four columns at a time, as the tiled products read them (readers.ts).
import type { Tensor } from '@tensorflow/tfjs-core'
import type { WholeMatrix } from '../matrix.ts'
import { flatReader, weightReader } from './readers.ts'
import { i32, type Bound, type Uniform } from './runner.ts'
import { NF4_TABLES, nf4Uniforms } from './unpack.ts'

/** Rows of numbers inside a float32 tensor, from `at` on: an adapter's factor among the parameters. */
export interface Rows {
  kind: 'rows'
  shape: [number, number]
  data: Tensor
  at: number
}

export type RowWeights = WholeMatrix | Rows

export interface PieceReader {
  /** Everything that changes the code. */
  variant: string
  inputs: Record<string, Tensor | Bound>
  uniforms: Record<string, Uniform>
  /** Columns of a piece: a multiple of 4. */
  columns: number
  /** Statements that define `${to}0`, `${to}1` ... as the piece's vec4<f32>; `row` and `piece` are i32 expressions. */
  read(row: string, piece: string, to: string): string
  /** The factor of a row, an f32 expression of its number; absent where there is none. */
  factor?(row: string): string
  code: string
  shared?: string
  /** At the start of main, for a workgroup of 256 threads where `wide` is false, and of any size otherwise. */
  start?: string
  wide: boolean
}

const NF4_SMALL_START = `
    if (localIndex < 16u) { nf4Code[localIndex] = NF4_CODE[localIndex]; }
    workgroupBarrier();
`

/** Bindings that such weights take. */
export const bindingsOf = ({ kind }: RowWeights): number => (kind === 'int8' || kind === 'nf4' ? 2 : 1)

export function pieceReader(name: string, w: RowWeights): PieceReader {
  const [, width] = w.shape
  const uniforms = { [`${name}Columns`]: i32(width) }
  const columns = `uniforms.${name}Columns`
  const fours = { type: 'vec4<f32>' } as const
  const pairs = { type: 'vec2<i32>' } as const
  const made = (reader: Pick<PieceReader, 'inputs' | 'columns' | 'read'> & Partial<PieceReader>) => ({
    variant: `${w.kind}wide`,
    uniforms,
    code: '',
    wide: true,
    ...reader,
  })
  switch (w.kind) {
    case 'rows': {
      const whole = width % 4 === 0 && w.at % 4 === 0
      const reader = flatReader(name, w.data, whole)
      return made({
        variant: `rows${whole ? '' : 'single'}`,
        inputs: reader.inputs,
        uniforms: { ...uniforms, [`${name}At0`]: i32(w.at) },
        columns: 4,
        code: reader.code,
        read: (row, piece, to) =>
          `let ${to}0 = ${name}At(uniforms.${name}At0 + (${row}) * ${columns} + 4 * (${piece}), ${columns} - 4 * (${piece}));`,
      })
    }
    case 'f32':
      if (width % 4 !== 0) break
      return made({
        inputs: { [name]: { tensor: w.data, ...fours } },
        columns: 4,
        read: (row, piece, to) => `let ${to}0 = ${name}[(${row}) * (${columns} / 4) + ${piece}];`,
      })
    case 'f16':
      if (width % 4 !== 0) break
      return made({
        inputs: { [name]: { tensor: w.data, ...pairs } },
        columns: 4,
        read: (row, piece, to) => `
        let ${to}w = bitcast<vec2<u32>>(${name}[(${row}) * (${columns} / 4) + ${piece}]);
        let ${to}0 = vec4<f32>(unpack2x16float(${to}w.x), unpack2x16float(${to}w.y));`,
      })
    case 'int8':
      if (width % 8 !== 0) break
      return made({
        inputs: { [name]: { tensor: w.data, ...pairs }, [`${name}Scales`]: w.scales },
        columns: 8,
        factor: (row) => `${name}Scales[${row}]`,
        // Shifts to the left put a byte's sign at the top.
        read: (row, piece, to) => `
        let ${to}w = ${name}[(${row}) * (${columns} / 8) + ${piece}];
        let ${to}0 = vec4<f32>((vec4<i32>(${to}w.x) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
        let ${to}1 = vec4<f32>((vec4<i32>(${to}w.y) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));`,
      })
    case 'nf4':
      if (width % 16 !== 0) break
      return made({
        inputs: { [name]: { tensor: w.data, ...pairs }, [`${name}Scales`]: w.absmax },
        uniforms: { ...uniforms, ...nf4Uniforms(w, name) },
        columns: 16,
        shared: NF4_TABLES,
        start: NF4_SMALL_START,
        // A piece lies in one block: sixteen columns of 64.
        code: `
  fn ${name}Absmax(block : i32) -> f32 {
    let codes = bitcast<u32>(${name}Scales[uniforms.${name}Codes + block / 4]);
    let code = i32(extractBits(codes, 8u * u32(block % 4), 8u));
    return dynamicNumber(code) * bitcast<f32>(${name}Scales[block / 256]) + uniforms.${name}Offset;
  }
  fn ${name}Four(codes : u32) -> vec4<f32> {
    return vec4<f32>(nf4Code[codes & 15u], nf4Code[(codes >> 4u) & 15u], nf4Code[(codes >> 8u) & 15u],
      nf4Code[(codes >> 12u) & 15u]);
  }`,
        read: (row, piece, to) => `
        let ${to}p = (${row}) * (${columns} / 16) + ${piece};
        let ${to}w = bitcast<vec2<u32>>(${name}[${to}p]);
        let ${to}s = ${name}Absmax(${to}p / 4);
        let ${to}0 = ${name}Four(${to}w.x) * ${to}s;
        let ${to}1 = ${name}Four(${to}w.x >> 16u) * ${to}s;
        let ${to}2 = ${name}Four(${to}w.y) * ${to}s;
        let ${to}3 = ${name}Four(${to}w.y >> 16u) * ${to}s;`,
      })
    default:
      return w satisfies never
  }
  const reader = weightReader(name, w)
  return {
    ...reader,
    columns: 4,
    wide: false,
    read: (row, piece, to) => `let ${to}0 = ${name}At(${row}, 4 * (${piece}));`,
  }
}
