// Reads public/_headers (the format of Netlify and Cloudflare Pages), so that one file says which security headers
// every server of this project sends: npm start, the development server, and the static host.
import { readFileSync } from 'node:fs'

/**
 * @typedef {{ pattern: RegExp, headers: [name: string, value: string][] }} HeaderRule
 */

/**
 * Parses a _headers file: a line that starts with `/` opens a rule, indented `Name: value` lines belong to it.
 * `*` in a path stands for any characters.
 * @param {string} text
 * @returns {HeaderRule[]}
 * @throws {Error} naming the line that is neither a path, a header, a comment nor empty
 */
export function parseHeaders(text) {
  /** @type {HeaderRule[]} */
  const rules = []
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    if (line.startsWith('/')) {
      const source = line.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
      rules.push({ pattern: new RegExp(`^${source}$`), headers: [] })
      continue
    }
    const header = /^([A-Za-z0-9-]+):\s*(.+)$/.exec(line)
    const rule = rules.at(-1)
    if (!header || !rule) throw new Error(`_headers, line ${index + 1}: expected "/path" or "Name: value".`)
    rule.headers.push([header[1], header[2]])
  }
  return rules
}

/**
 * The headers for one path: every matching rule counts, a later one wins.
 * @param {HeaderRule[]} rules
 * @param {string} pathname decoded path of the request, starting with `/`
 * @returns {Record<string, string>}
 */
export function headersFor(rules, pathname) {
  return Object.fromEntries(
    rules.filter((rule) => rule.pattern.test(pathname)).flatMap((rule) => rule.headers),
  )
}

/**
 * @param {string | URL} file path of a _headers file
 * @returns {HeaderRule[]}
 */
export function readHeaders(file) {
  return parseHeaders(readFileSync(file, 'utf8'))
}
