// The columns of several files, by name: all the same, or with `union` every column that one of them has.
import { textRows, type Rows } from '../../src/protocol/byteRows.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import { COLUMNS_LIMIT } from '../../src/formats/csv.ts'

export class UnionColumns {
  readonly names: string[] = []
  readonly #places = new Map<string, number>()
  /** The columns that the next file must have; null for the first. */
  #expected: readonly string[] | null = null
  #file: string | null = null
  #placesOfFile: number[] = []

  /** @param names the columns of the dataset to which rows are added */
  constructor(
    private readonly union: boolean,
    names: readonly string[] = [],
  ) {
    for (const name of names) this.#place(name)
    if (names.length > 0) this.#expected = [...names]
  }

  /** The rows of a file with their cells in the order of all columns. Throws E_DATASET where columns differ. */
  placed(rows: Rows, columns: readonly string[], file: string): Rows {
    if (file !== this.#file) {
      this.#begin(columns, file)
      this.#file = file
    }
    // JSON's columns may join while rows come.
    while (this.#placesOfFile.length < columns.length) {
      const name = columns[this.#placesOfFile.length]!
      if (!this.union && this.#expected && !this.#expected.includes(name))
        throw this.#differs(file, name, true)
      this.#placesOfFile.push(this.#place(name))
    }
    const width = this.names.length
    const inPlace = this.#placesOfFile.every((place, i) => place === i)
    if (inPlace && (!('ends' in rows) || rows.width === width)) return rows
    return textRows(rows).map((cells) => {
      const row = new Array<string>(width).fill('')
      for (const [i, cell] of cells.entries()) row[this.#placesOfFile[i]!] = cell
      return row
    })
  }

  #begin(columns: readonly string[], file: string): void {
    this.#expected ??= this.#file === null ? null : [...this.names]
    this.#placesOfFile = []
    if (this.union || !this.#expected) return
    const missing = this.#expected.find((name) => !columns.includes(name))
    if (missing !== undefined) throw this.#differs(file, missing, false)
  }

  #differs(file: string, column: string, extra: boolean): GraftError {
    return new GraftError(
      'E_DATASET',
      `${file} has ${extra ? 'a' : 'no'} column "${column}"${extra ? ' that the others do not have' : ', which the others have'}. Take all columns of all files, or import the files one by one.`,
      { file, column },
    )
  }

  #place(name: string): number {
    const known = this.#places.get(name)
    if (known !== undefined) return known
    if (this.names.length === COLUMNS_LIMIT)
      throw new GraftError(
        'E_LIMIT',
        `The files have more than ${COLUMNS_LIMIT} different columns together; at most ${COLUMNS_LIMIT} are taken.`,
        { limit: COLUMNS_LIMIT },
      )
    this.#places.set(name, this.names.length)
    this.names.push(name)
    return this.names.length - 1
  }
}
