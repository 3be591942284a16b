// WGSL that reads frozen weights in each precision, a 32-bit word at a time, for the kernels that multiply or gather.
// Only what every WebGPU has: unpack2x16float and extractBits, no feature and no language extension. A GPU may read
// halves below 2^-14 as 0, which is less than the rounding of the larger ones.
import type { Tensor } from '@tensorflow/tfjs-core'
import { nf4Words, type WholeMatrix } from '../matrix.ts'
import { NF4_CODE } from '../quantise/nf4.ts'
import { f32, i32, type Uniform } from './runner.ts'

export interface Unpacking {
  /** Part of the kernel's variant: everything that changes the code. */
  variant: string
  /** Bound under names that begin with `w`. */
  inputs: Record<string, Tensor>
  uniforms: Record<string, Uniform>
  /** Functions and shared memory, in front of `main`. */
  declarations: string
  /** Statements at the start of `main`, where all 256 threads of a workgroup pass. */
  start: string
  /** Weights of a word: `unpack` is called with columns that are multiples of it. */
  perWord: number
  /** Statements that define v0, v1 ... from the i32 variables `wRow`, `wColumn` and the i32 expression `columns`. */
  unpack(columns: string): string
}

export function unpackingOf(w: WholeMatrix): Unpacking {
  switch (w.kind) {
    case 'f32':
      return plain(w.data)
    case 'f16':
      return {
        ...plain(w.data),
        variant: 'f16',
        perWord: 2,
        unpack: (columns) => `
          let halves = unpack2x16float(bitcast<u32>(w[wRow * ((${columns} + 1) / 2) + wColumn / 2]));
          let v0 = halves.x;
          let v1 = halves.y;`,
      }
    case 'int8':
      return {
        ...plain(w.data),
        variant: 'int8',
        inputs: { w: w.data, wScales: w.scales },
        perWord: 4,
        unpack: (columns) => `
          let bytes = w[wRow * ((${columns} + 3) / 4) + wColumn / 4];
          let scale = wScales[wRow];
          ${each(4, (i) => `let v${i} = f32(extractBits(bytes, ${8 * i}u, 8u)) * scale;`)}`,
      }
    case 'nf4':
      return nf4(w)
    default:
      return w satisfies never
  }
}

function plain(data: Tensor): Unpacking {
  return {
    variant: 'f32',
    inputs: { w: data },
    uniforms: {},
    declarations: '',
    start: '',
    perWord: 1,
    unpack: (columns) => `let v0 = w[wRow * ${columns} + wColumn];`,
  }
}

/** The two tables of NF4 in shared memory; the numbers of the dynamic map are made by their formula
 *  (quantise/dynamicMap.ts). */
export const NF4_TABLES = `
  const NF4_CODE = array<f32, 16>(${Array.from(NF4_CODE, wgslFloat).join(', ')});
  const POWERS = array<f32, 7>(1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0);
  var<workgroup> nf4Code : array<f32, 16>;
  var<workgroup> dynamicMap : array<f32, 256>;

  fn dynamicNumber(code : i32) -> f32 {
    if (code == 255) { return 1.0; }
    if (code == 127) { return 0.0; }
    let place = abs(code - 127);
    let exponent = firstLeadingBit(place);
    let size = POWERS[exponent] * (0.1 + 0.9 * ((f32(place) + 0.5) / f32(1 << u32(exponent)) - 1.0));
    return select(size, -size, code < 127);
  }
`

/** Fills the tables; all 256 threads of the workgroup pass. */
export const NF4_START = `
    dynamicMap[localIndex] = dynamicNumber(i32(localIndex));
    if (localIndex < 16u) { nf4Code[localIndex] = NF4_CODE[localIndex]; }
    workgroupBarrier();
`

/** Where the codes of the absmax begin, and what was taken away from them. */
export function nf4Uniforms(w: WholeMatrix & { kind: 'nf4' }, name: string): Record<string, Uniform> {
  const [rows, columns] = w.shape
  return {
    [`${name}Codes`]: i32(nf4Words(rows * columns).scales),
    [`${name}Offset`]: f32(w.absmaxOffset),
  }
}

/**
 * Codes run over the ends of rows; where rows are whole words, a word lies in one block and its absmax is read once.
 */
function nf4(w: WholeMatrix & { kind: 'nf4' }): Unpacking {
  const whole = w.shape[1] % 8 === 0
  const perWord = whole ? 8 : 1
  return {
    variant: whole ? 'nf4' : 'nf4single',
    inputs: { w: w.data, wAbsmax: w.absmax },
    uniforms: nf4Uniforms(w, 'w'),
    declarations: `${NF4_TABLES}
  fn absmaxOf(block : i32) -> f32 {
    let codes = bitcast<u32>(wAbsmax[uniforms.wCodes + block / 4]);
    let code = extractBits(codes, 8u * u32(block % 4), 8u);
    return dynamicMap[code] * bitcast<f32>(wAbsmax[block / 256]) + uniforms.wOffset;
  }
`,
    start: NF4_START,
    perWord,
    unpack: (width) => `
          let at4 = wRow * ${width} + wColumn;
          let codes = bitcast<u32>(w[at4 / 8]);
          let scale = absmaxOf(at4 / 64);
          ${
            whole
              ? each(8, (i) => `let v${i} = nf4Code[extractBits(codes, ${4 * i}u, 4u)] * scale;`)
              : 'let v0 = nf4Code[extractBits(codes, 4u * u32(at4 % 8), 4u)] * scale;'
          }`,
  }
}

function each(count: number, line: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => line(i)).join('\n          ')
}

function wgslFloat(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}
