// Reading the hand-written pools and writing CSV (RFC 4180 quoting, UTF-8 without a byte order mark, LF).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Lines of a pool file. A backslash followed by n stands for a line break inside the text.
 * @param {string} name path below tools/samples
 * @returns {string[]}
 */
export function readLines(name) {
  const text = readFileSync(join(import.meta.dirname, name), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('# '))
    .map((line) => line.replaceAll('\\n', '\n'))
}

/**
 * Blocks of lines divided by an empty line.
 * @param {string} name path below tools/samples
 * @returns {string[][]}
 */
export function readBlocks(name) {
  const text = readFileSync(join(import.meta.dirname, name), 'utf8')
  return text
    .trim()
    .split(/\n\n+/)
    .map((block) => block.split('\n'))
}

/**
 * Lines of a pool whose lines are columns divided by tabs.
 * @param {string} name path below tools/samples
 * @returns {string[][]}
 */
export const readColumns = (name) => readLines(name).map((line) => line.split('\t'))

/**
 * Lines "key TAB value" gathered by key.
 * @param {string} name path below tools/samples
 * @returns {Map<string, string[]>}
 */
export function readGroups(name) {
  const groups = new Map()
  for (const [key, value] of readColumns(name)) groups.set(key, [...(groups.get(key) ?? []), value])
  return groups
}

/** @param {string} cell */
const quoted = (cell) => (/[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)

/**
 * @param {string[]} header
 * @param {string[][]} rows
 * @returns {string} the whole file
 */
export const toCsv = (header, rows) =>
  [header, ...rows].map((row) => row.map(quoted).join(',') + '\n').join('')

/** @param {string} text @returns {string} the text with its first letter in upper case */
export const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1)

/** @param {string} text @returns {number} words divided by white space */
export const wordCount = (text) => text.split(/\s+/).filter(Boolean).length
