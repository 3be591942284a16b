// What spreadsheets and pages put on the clipboard becomes a table with the cells that a person saw.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CELLS_LIMIT, htmlTable } from '../../src/data/htmlTable.ts'
import { textRows } from '../../src/protocol/byteRows.ts'
import { CsvParser } from '../../src/formats/csv.ts'
import { readClipboard } from '../../src/state/clipboard.ts'
import { pastedFile } from '../../workers/import/pasted.ts'

describe('the table of a piece of HTML', () => {
  it('has the cells of Excel, with line breaks inside of them', () => {
    const excel = `<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><style><!--table {mso-displayed-decimal-separator:"\\,";} td {x:1} --></style></head><body>
<!--StartFragment--><table border=0 cellpadding=0 width=128><col width=64 span=2>
 <tr height=20><td height=20 class=xl65 width=64>text</td>
  <td width=64>label &amp; more</td></tr>
 <tr><td class=xl66>First line<br style='mso-data-placement:same-cell;'>
    second &quot;line&quot;</td><td align=right x:num="1.5">1,5</td></tr>
 <tr><td>a  b&nbsp;c</td><td></td></tr>
<!--EndFragment--></table></body></html>`
    expect(htmlTable(excel)).toEqual([
      ['text', 'label & more'],
      ['First line\nsecond "line"', '1,5'],
      ['a b c', ''],
    ])
  })

  it('has merged cells once, short rows filled, and other tables left out', () => {
    expect(
      htmlTable(
        '<table><tr><td>small</table><table><tr><th colspan="2">A<th>B<tr><td rowspan=2>1<td>2<td>3<tr><td>4<td>5<tr><td>6</table>',
      ),
    ).toEqual([
      ['A', '', 'B'],
      ['1', '2', '3'],
      ['', '4', '5'],
      ['6', '', ''],
    ])
  })

  it('keeps paragraphs apart, and a table inside a cell is its text', () => {
    expect(
      htmlTable(
        '<table><tr><td><p>One</p><p>Two</p></td><td>x<table><tr><td>in</td><td>side</td></tr></table></td></tr></table>',
      ),
    ).toEqual([['One\nTwo', 'x\nin  side']])
    expect(htmlTable('<td>no table</td>')).toBeNull()
    expect(htmlTable('<table></table>')).toBeNull()
  })

  it('is text and nothing else, whatever stands in it, and is read in linear time', () => {
    expect(htmlTable('<table><tr><td><script>alert(1)</script>a<td>&lt;img onerror=x&gt;</table>')).toEqual([
      ['a', '<img onerror=x>'],
    ])
    const started = performance.now()
    htmlTable('<table><tr><td '.repeat(20_000))
    htmlTable(`<table>${'<td "'.repeat(20_000)}`)
    expect(performance.now() - started).toBeLessThan(2000)
    const wide = `<table>${'<tr><td colspan=99999 rowspan=99999>x'.repeat(CELLS_LIMIT / 1000)}</table>`
    expect(() => htmlTable(wide)).toThrow(expect.objectContaining({ code: 'E_LIMIT' }))
  })
})

describe('what was copied, as a file', () => {
  const rowsOf = async (file: File): Promise<string[][]> => {
    const parser = new CsvParser({
      name: file.name,
      header: false,
      delimiter: '\t',
      onProblem: () => undefined,
    })
    const bytes = new Uint8Array(await file.arrayBuffer())
    return [...textRows(parser.push(bytes)), ...textRows(parser.end())]
  }
  const cell = fc.oneof(fc.string(), fc.constantFrom('a\nb', 'tab\there', '"', 'x & <y>', ''))
  it('is read back as the cells that were copied', async () => {
    const escaped = (text: string) =>
      text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\n', '<br>')
    const table = fc
      .tuple(fc.integer({ min: 2, max: 4 }), fc.integer({ min: 1, max: 4 }))
      .chain(([columns, rows]) =>
        fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), {
          minLength: rows,
          maxLength: rows,
        }),
      )
    const shown = (text: string) =>
      text
        .split('\n')
        .map((line) => line.replace(/[\t\r\f ]+/g, ' ').trim())
        .join('\n')
        .trim()
    await fc.assert(
      fc.asyncProperty(table, async (rows) => {
        const wanted = rows.map((row) => row.map(shown))
        // A row without any text is none in a file.
        fc.pre(wanted.every((row) => row.some((text) => text !== '')))
        const html = `<table>${rows.map((row) => `<tr>${row.map((text) => `<td>${escaped(text)}</td>`).join('')}</tr>`).join('')}</table>`
        expect(htmlTable(html)).toEqual(wanted)
        expect(await rowsOf(pastedFile({ html, text: 'other' }))).toEqual(wanted)
      }),
      { numRuns: 100 },
    )
  })

  it('is the text where the HTML is only its dress, and refuses nothing at all', async () => {
    const plain = pastedFile({ html: '<table><tr><td>just words</td></tr></table>', text: 'just words' })
    expect([plain.name, await plain.text()]).toEqual(['Pasted text.txt', 'just words'])
    expect(pastedFile({ text: 'a\tb' }).name).toBe('Pasted cells')
    expect(() => pastedFile({ html: '<b></b>', text: ' ' })).toThrow(
      expect.objectContaining({ code: 'E_NOT_A_TABLE' }),
    )
  })
})

describe('the clipboard of the browser', () => {
  const item = (contents: Record<string, string>) =>
    ({
      types: Object.keys(contents),
      getType: (type: string) => Promise.resolve(new Blob([contents[type]!])),
    }) as unknown as ClipboardItem
  it('gives both forms', async () => {
    const read = () => Promise.resolve([item({ 'text/html': '<table>', 'text/plain': 'x' })])
    expect(await readClipboard({ read })).toEqual({ html: '<table>', text: 'x' })
  })
  it('refuses with what to do in its place', async () => {
    const read = () => Promise.reject(new DOMException('denied', 'NotAllowedError'))
    for (const clipboard of [null, { read }])
      await expect(readClipboard(clipboard)).rejects.toMatchObject({
        code: 'E_ARGUMENT',
        message: expect.stringMatching(/press ctrl v/i) as string,
      })
  })
})
