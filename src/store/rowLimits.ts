// How rows are parted among the values of the database.

/** Rows in one database value: a page of rows reads one or two, an import of 100,000 rows writes a hundred. */
export const BATCH_ROWS = 1000
/** Characters after which a value is written with fewer rows: browsers refuse values above some 130 MB. */
export const BATCH_CHARACTERS = 8_000_000
