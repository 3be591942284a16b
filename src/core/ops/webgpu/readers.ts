// How the tiled products read matrices: WGSL functions that give four neighbouring numbers of a row as a vec4<f32>, zeros
// beyond its end. Where rows are whole vectors that is one load; else the numbers are picked one by one, so kernels are
// written once for all shapes. Only what every WebGPU has: unpack2x16float and extractBits, no feature and no language
// extension. A GPU may read halves below 2^-14 as 0, which is less than the rounding of the larger ones.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { WholeMatrix } from '../matrix.ts'
import { i32, type Bound, type Uniform } from './runner.ts'
import { NF4_START, NF4_TABLES, nf4Uniforms } from './unpack.ts'

export interface Reader {
  /** Part of the kernel's variant: everything that changes the code. */
  variant: string
  inputs: Record<string, Tensor | Bound>
  uniforms: Record<string, Uniform>
  /** Declares `fn nameAt` of two numbers -> vec4<f32>: (row, column) of a weight, (at, left) of a flat tensor. */
  code: string
  /** Declarations that readers of one kind share, once a kernel. */
  shared?: string
  /** Statements at the start of `main`, where all 256 threads of a workgroup pass; once a kernel. */
  start?: string
}

const one = (read: (column: string) => string, columns: string): string =>
  `vec4<f32>(${[0, 1, 2, 3]
    .map((i) => {
      const column = i === 0 ? 'column' : `column + ${i}`
      return `select(0.0, ${read(`min(${column}, ${columns} - 1)`)}, ${column} < ${columns})`
    })
    .join(', ')})`

/**
 * Float32 numbers from anywhere in a tensor: `nameAt(at, left)` gives those from `at` on, of which `left` count.
 * @param whole whether every `at` and every `left` is a multiple of 4
 */
export function flatReader(name: string, tensor: Tensor, whole: boolean): Reader {
  const each = [0, 1, 2, 3].map((i) => `select(0.0, ${name}[at + select(0, ${i}, left > ${i})], left > ${i})`)
  return {
    variant: whole ? '4' : '1',
    inputs: { [name]: whole ? { tensor, type: 'vec4<f32>' } : tensor },
    uniforms: {},
    code: `
  fn ${name}At(at : i32, left : i32) -> vec4<f32> {
    return ${whole ? `${name}[at / 4]` : `vec4<f32>(${each.join(', ')})`};
  }`,
  }
}

/** Whether a matrix's numbers are halves, or whole numbers that fit one with a scale for each row: its codes. */
export function hasHalfCodes({ kind }: WholeMatrix): boolean {
  return kind === 'f16' || kind === 'int8'
}

/** The same without the scales of rows, which `nameScale(row)` gives: numbers that lose nothing as halves. */
export function codeReader(name: string, w: WholeMatrix): Reader {
  const reader = weightReader(name, w)
  if (w.kind !== 'int8')
    return { ...reader, code: `${reader.code}\n  fn ${name}Scale(row : i32) -> f32 { return 1.0; }` }
  return {
    ...reader,
    variant: `${reader.variant}codes`,
    code: `${reader.code.replace(` * ${name}Scales[row]`, '')}
  fn ${name}Scale(row : i32) -> f32 { return ${name}Scales[row]; }`,
  }
}

/** Rows of a frozen matrix in its precision: `nameAt(row, column)` with columns that are multiples of 4. */
export function weightReader(name: string, w: WholeMatrix): Reader {
  const [, columns] = w.shape
  const whole = columns % (w.kind === 'nf4' ? 8 : 4) === 0
  const uniforms = { [`${name}Columns`]: i32(columns) }
  const width = `uniforms.${name}Columns`
  const reader = (inputs: Reader['inputs'], body: string, more: Partial<Reader> = {}): Reader => ({
    variant: `${w.kind}${whole ? '' : 'single'}`,
    inputs,
    uniforms,
    code: `
  fn ${name}At(row : i32, column : i32) -> vec4<f32> {
    ${body}
  }`,
    ...more,
  })
  switch (w.kind) {
    case 'f32':
      return whole
        ? reader(
            { [name]: { tensor: w.data, type: 'vec4<f32>' } },
            `return ${name}[(row * ${width} + column) / 4];`,
          )
        : reader(
            { [name]: w.data },
            `return ${one((column) => `${name}[row * ${width} + ${column}]`, width)};`,
          )
    case 'f16':
      return whole
        ? reader(
            { [name]: { tensor: w.data, type: 'vec2<i32>' } },
            `let words = bitcast<vec2<u32>>(${name}[(row * ${width} + column) / 4]);
    return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));`,
          )
        : reader(
            { [name]: w.data },
            `// Rows are padded with a zero to whole words; the last word of four columns may be the next row's.
    let words = (${width} + 1) / 2;
    let at = row * words + column / 2;
    let low = unpack2x16float(bitcast<u32>(${name}[at]));
    let behind = column / 2 + 1 < words;
    let high = unpack2x16float(select(0u, bitcast<u32>(${name}[select(at, at + 1, behind)]), behind));
    return vec4<f32>(low, high);`,
          )
    case 'int8':
      // Rows are padded with zeros to whole words.
      return reader(
        { [name]: w.data, [`${name}Scales`]: w.scales },
        `let bytes = ${name}[row * ((${width} + 3) / 4) + column / 4];
    return vec4<f32>(vec4<i32>(extractBits(bytes, 0u, 8u), extractBits(bytes, 8u, 8u), extractBits(bytes, 16u, 8u),
      extractBits(bytes, 24u, 8u))) * ${name}Scales[row];`,
      )
    case 'nf4':
      return nf4Reader(name, w, whole, reader)
    default:
      return w satisfies never
  }
}

/** Codes run over the ends of rows; where rows are whole words, four columns lie in one word and one block. */
function nf4Reader(
  name: string,
  w: WholeMatrix & { kind: 'nf4' },
  whole: boolean,
  reader: (inputs: Reader['inputs'], body: string, more: Partial<Reader>) => Reader,
): Reader {
  const width = `uniforms.${name}Columns`
  const absmax = `
  fn ${name}Absmax(block : i32) -> f32 {
    let codes = bitcast<u32>(${name}Scales[uniforms.${name}Codes + block / 4]);
    let code = extractBits(codes, 8u * u32(block % 4), 8u);
    return dynamicMap[code] * bitcast<f32>(${name}Scales[block / 256]) + uniforms.${name}Offset;
  }
  fn ${name}One(at : i32) -> f32 {
    return nf4Code[extractBits(bitcast<u32>(${name}[at / 8]), 4u * u32(at % 8), 4u)] * ${name}Absmax(at / 64);
  }`
  const body = whole
    ? `let at = row * ${width} + column;
    let codes = bitcast<u32>(${name}[at / 8]) >> (4u * u32(at % 8));
    return vec4<f32>(nf4Code[codes & 15u], nf4Code[(codes >> 4u) & 15u], nf4Code[(codes >> 8u) & 15u],
      nf4Code[(codes >> 12u) & 15u]) * ${name}Absmax(at / 64);`
    : `return ${one((column) => `${name}One(row * ${width} + ${column})`, width)};`
  const made = reader({ [name]: w.data, [`${name}Scales`]: w.absmax }, body, {
    shared: NF4_TABLES,
    start: NF4_START,
  })
  return { ...made, code: absmax + made.code, uniforms: { ...made.uniforms, ...nf4Uniforms(w, name) } }
}

/** What readers declare, their common parts once. */
export function declarations(readers: readonly Reader[]): string {
  const shared = new Set(readers.flatMap((reader) => reader.shared ?? []))
  return [...shared, ...readers.map(({ code }) => code)].join('\n')
}

/** What `main` begins with for these readers. */
export function beginning(readers: readonly Reader[]): string {
  return [...new Set(readers.flatMap((reader) => reader.start ?? []))].join('\n')
}
