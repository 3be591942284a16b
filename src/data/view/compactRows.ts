// Rows kept in memory for reading again and again in any order: one text a batch and where its cells end. A million rows as
// arrays of strings would cost about 40 bytes a cell besides its letters; this costs 4, and one byte a letter where all
// letters of a batch are Latin.

/** Batches of equal size (the last may be shorter), as long as all of them fit into a budget. */
export class CompactRows {
  readonly #batchRows: number
  readonly #columns: number
  readonly #budget: number
  readonly #batches: (CompactBatch | undefined)[] = []
  #bytes = 0

  /** @param budget bytes; a batch beyond it is not kept */
  constructor(batchRows: number, columns: number, budget: number) {
    this.#batchRows = batchRows
    this.#columns = columns
    this.#budget = budget
  }

  /** Bytes of everything kept. */
  get bytes(): number {
    return this.#bytes
  }

  batch(number: number): CompactBatch | undefined {
    return this.#batches[number]
  }

  /** Keeps a batch if it fits, and returns it either way. */
  add(number: number, rows: readonly (readonly string[])[]): CompactBatch {
    const batch = new CompactBatch(rows, this.#columns)
    if (!this.#batches[number] && this.#bytes + batch.bytes <= this.#budget) {
      this.#batches[number] = batch
      this.#bytes += batch.bytes
    }
    return batch
  }

  /** Cells of a row, or undefined where its batch is not kept. */
  row(index: number): string[] | undefined {
    return this.#batches[Math.floor(index / this.#batchRows)]?.row(index % this.#batchRows)
  }
}

// eslint-disable-next-line no-control-regex -- what V8 keeps in one byte a letter
const LATIN = /^[\x00-\xff]*$/

export class CompactBatch {
  readonly rows: number
  readonly bytes: number
  readonly #columns: number
  readonly #text: string
  /** Where cell (row, column) ends, at row * columns + column. */
  readonly #ends: Uint32Array

  constructor(rows: readonly (readonly string[])[], columns: number) {
    this.rows = rows.length
    this.#columns = columns
    this.#ends = new Uint32Array(rows.length * columns)
    const cells: string[] = []
    let end = 0
    for (let row = 0, at = 0; row < rows.length; row++)
      for (let column = 0; column < columns; column++) {
        const cell = rows[row]![column] ?? ''
        cells.push(cell)
        end += cell.length
        this.#ends[at++] = end
      }
    this.#text = cells.join('')
    this.bytes = this.#ends.byteLength + this.#text.length * (LATIN.test(this.#text) ? 1 : 2) + 64
  }

  cell(row: number, column: number): string {
    const at = row * this.#columns + column
    return this.#text.slice(at === 0 ? 0 : this.#ends[at - 1]!, this.#ends[at])
  }

  row(row: number): string[] {
    const cells = new Array<string>(this.#columns)
    for (let column = 0; column < this.#columns; column++) cells[column] = this.cell(row, column)
    return cells
  }
}
