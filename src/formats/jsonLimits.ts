// Limits of tables in JSON, beside those of every table (csvLimits.ts).

/** Characters of one row while its end is sought: beyond it the row is passed over, so that memory stays flat. */
export const JSON_ROW_CHARACTERS_LIMIT = 4_000_000
/** Lists and objects inside each other in one row: conversations need five; thousands are made to exhaust a parser. */
export const JSON_DEPTH_LIMIT = 64
/** Keys under which an object may hold the list of rows: what datasets, Alpaca's kin and the Hub's viewer write. */
export const ROW_LIST_KEYS: readonly string[] = ['data', 'rows', 'train', 'examples']
