// Limits of tables, each with its reason.

/** Rows taken of an import: more than a browser trains on in days, few enough for a list of their numbers. */
export const ROWS_LIMIT = 5_000_000
/** Columns of a file: a file with more is a matrix, not a table of texts. */
export const COLUMNS_LIMIT = 1000
/** Characters of a cell: far more than any model here reads. */
export const CELL_CHARACTERS_LIMIT = 1_000_000
/** Bytes of one row while its end is sought: beyond it an opening quote is taken for a stray one. */
export const ROW_BYTES_LIMIT = 4_000_000
/** Stray quotes for which the rest of the text is read anew, before quotes are given up. */
export const RECOVERIES_LIMIT = 50
/** Bytes, or characters, from which the delimiter is guessed. */
export const GUESS_LENGTH = 65_536
