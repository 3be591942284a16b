// Limits of the data room that views show.
export { DISTINCT_LIMIT } from '../data/columns.ts'
