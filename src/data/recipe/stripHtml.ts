// HTML in cells becomes plain text. Not a parser of pages: it takes off what looks like tags of HTML and reads entities, and
// leaves "a < b" and unknown <names> alone. The result is text and is shown as text, so nothing here guards a page.
import type { StripHtmlStep } from '../../protocol/recipe.ts'
import { placesOf, withCells } from './columns.ts'
import { rowStage, type Flow, type Stage } from './flow.ts'

const NAMES =
  'a|abbr|address|article|aside|b|blockquote|body|br|button|caption|center|cite|code|col|colgroup|dd|del|details|dfn|div|dl|dt|em|figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|kbd|label|li|link|main|mark|meta|nav|ol|option|p|pre|q|s|samp|script|section|select|small|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|textarea|tfoot|th|thead|title|tr|tt|u|ul|var|video'
const TAG = new RegExp(`<(/?)(${NAMES})(?=[\\s/>])(?:[^<>"']|"[^"]*"|'[^']*')*>`, 'gi')
const DOCTYPE = /<!doctype[^<>]*>/gi
/** Left out with what they hold. */
const HIDDEN = ['script', 'style', 'head', 'svg', 'iframe']
const BLOCK =
  /^(address|article|aside|blockquote|br|dd|div|dl|dt|figure|footer|form|h\d|header|hr|li|main|nav|ol|p|pre|section|table|tr|ul)$/i
const ENTITY = /&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,8}\d{0,2}));/gi

/** The entities that text is full of; the others stay as they are. */
const ENTITIES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    amp: '&',
    lt: '<',
    gt: '>',
    quot: '"',
    apos: "'",
    nbsp: '\u00a0',
    copy: '©',
    reg: '®',
    trade: '™',
    hellip: '…',
    ndash: '–',
    mdash: '—',
    lsquo: '‘',
    rsquo: '’',
    sbquo: '‚',
    ldquo: '“',
    rdquo: '”',
    bdquo: '„',
    laquo: '«',
    raquo: '»',
    bull: '•',
    middot: '·',
    para: '¶',
    sect: '§',
    deg: '°',
    plusmn: '±',
    times: '×',
    divide: '÷',
    frac12: '½',
    frac14: '¼',
    euro: '€',
    pound: '£',
    yen: '¥',
    cent: '¢',
    szlig: 'ß',
    auml: 'ä',
    ouml: 'ö',
    uuml: 'ü',
    Auml: 'Ä',
    Ouml: 'Ö',
    Uuml: 'Ü',
    eacute: 'é',
    egrave: 'è',
    ecirc: 'ê',
    euml: 'ë',
    agrave: 'à',
    aacute: 'á',
    acirc: 'â',
    atilde: 'ã',
    aring: 'å',
    aelig: 'æ',
    ccedil: 'ç',
    iacute: 'í',
    icirc: 'î',
    iuml: 'ï',
    ntilde: 'ñ',
    oacute: 'ó',
    ocirc: 'ô',
    otilde: 'õ',
    oslash: 'ø',
    uacute: 'ú',
    ugrave: 'ù',
    ucirc: 'û',
    yacute: 'ý',
    Eacute: 'É',
    Egrave: 'È',
    Agrave: 'À',
    Ccedil: 'Ç',
    Ntilde: 'Ñ',
    iexcl: '¡',
    iquest: '¿',
    zwnj: '\u200c',
    zwj: '\u200d',
    shy: '\u00ad',
    larr: '←',
    rarr: '→',
  }),
)

export function stripHtml(step: StripHtmlStep, { columns }: Flow): Stage {
  const places = placesOf(columns, step.columns)
  return rowStage(columns, (row) => {
    const cells = withCells(row.cells, places, plainText)
    return cells === row.cells ? row : { ...row, cells }
  })
}

/** A text without tags of HTML, its entities read once. */
export function plainText(cell: string): string {
  let text = cell
  if (text.includes('<')) {
    const bare = visible(text)
      .replace(DOCTYPE, '')
      .replace(TAG, (_tag, _slash, name: string) =>
        BLOCK.test(name) ? '\n' : /^t[dh]$/i.test(name) ? ' ' : '',
      )
    // Tags that became line breaks leave runs of them, and at the ends.
    text = bare === text ? text : bare.replace(/[ \t]*\n\s*/g, '\n').trim()
  }
  if (!text.includes('&')) return text
  return text.replace(ENTITY, (entity, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return ENTITIES.get(name) ?? ENTITIES.get(name.toLowerCase()) ?? entity
    const code = decimal === undefined ? parseInt(hex!, 16) : Number(decimal)
    return code === 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)
      ? entity
      : String.fromCodePoint(code)
  })
}

/** Without comments and what is never shown. By searching and not by a pattern, whose time would grow with the square. */
export function visible(text: string): string {
  let out = without(text, '<!--', '-->')
  for (const name of HIDDEN) {
    const lower = out.toLowerCase()
    // Letters whose lower case is longer would shift the places.
    if (lower.length === out.length && lower.includes(`<${name}`))
      out = without(out, `<${name}`, `</${name}`, lower)
  }
  return out
}

/** Without the stretches from `open` to the end of `close`; what is not closed stays. */
function without(text: string, open: string, close: string, search = text): string {
  const pieces: string[] = []
  let from = 0
  for (let start = search.indexOf(open); start >= 0; start = search.indexOf(open, from)) {
    const end = search.indexOf(close, start + open.length)
    const last = end < 0 ? -1 : close === '-->' ? end + 2 : search.indexOf('>', end)
    if (last < 0) break
    // "<header" only begins like "<head".
    const whole = close === '-->' || /[\s>]/.test(search[start + open.length] ?? '')
    pieces.push(text.slice(from, whole ? start : start + open.length))
    from = whole ? last + 1 : start + open.length
  }
  return from === 0 ? text : pieces.join('') + text.slice(from)
}
