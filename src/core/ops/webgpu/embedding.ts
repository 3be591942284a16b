// Rows of the token embedding in every precision, unpacked in the kernel; a table in parts takes a dispatch for each.
import type { Tensor } from '@tensorflow/tfjs-core'
import { partsOf, type FrozenMatrix } from '../matrix.ts'
import { gatherRows } from './rows.ts'
import { ELEMENT, i32, LINE, lines, runInPlace, scratch } from './runner.ts'
import { unpackingOf } from './unpack.ts'

/** table [V, d], ids int32 [N] -> [N, d]; an id without a row gives zeros. */
export function embedding(table: FrozenMatrix, ids: Tensor): Tensor {
  if (table.kind === 'f32') return gatherRows(table.data, ids)
  const width = table.shape[1]
  const out = scratch([ids.size, width])
  partsOf(table).forEach(({ part, begin }, index) => {
    const w = unpackingOf(part)
    // One thread for each weight: which of the word's it is, is known when it runs.
    const chosen = Array.from(
      { length: w.perWord - 1 },
      (_, i) => `if (inWord == ${i + 1}) { value = v${i + 1}; }`,
    )
    runInPlace(
      {
        name: 'embedding',
        variant: `${w.variant}_${index === 0 ? 'first' : 'next'}`,
        inputs: { ids, ...w.inputs },
        uniforms: {
          count: i32(out.size),
          begin: i32(begin),
          rows: i32(part.shape[0]),
          width: i32(width),
          ...w.uniforms,
        },
        workgroup: [LINE, 1, 1],
        groups: lines(out.size),
        code: `
  ${w.declarations}

  fn main() {
    ${w.start}
    ${ELEMENT}
    let wRow = ids[at / uniforms.width] - uniforms.begin;
    if (wRow < 0 || wRow >= uniforms.rows) {
      ${index === 0 ? 'result[at] = 0.0;' : ''}
      return;
    }
    let inWord = at % uniforms.width % ${w.perWord};
    let wColumn = at % uniforms.width - inWord;
    ${w.unpack('uniforms.width')}
    var value = v0;
    ${chosen.join('\n    ')}
    result[at] = value;
  }`,
      },
      out,
    )
  })
  return out
}
