// What should not be in a text: control characters, broken encodings, HTML, addresses of the web, repetition. One kind
// of check for all of them: a function that says what it saw in a text, or nothing.
import type { FindingKind, Remedy, Severity } from '../../protocol/health.ts'
import {
  bySize,
  dropAll,
  finding,
  RowList,
  textColumns,
  type Check,
  type HealthInput,
  type RowView,
} from './check.ts'
import { fixMojibake } from '../mojibake.ts'
import { repeated } from './repetition.ts'
import { excerpt, percent, plural } from './say.ts'

/** Control characters but tab and line ends, marks of direction, zero-width characters (not the joiners, which write). */
const CONTROLS =
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/
/** What a decoder writes for bytes that it could not read. */
const LOST = '\ufffd'
const TAG =
  /<\/?(?:a|abbr|article|b|blockquote|body|br|button|center|code|div|em|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|label|li|link|main|meta|nav|ol|option|p|pre|script|section|select|small|span|strong|style|sub|sup|svg|table|tbody|td|th|thead|title|tr|u|ul)(?:\s[^<>]{0,500})?\/?>|<!--|<!doctype/i
const ENTITY =
  /&(?:amp|lt|gt|quot|apos|nbsp|copy|reg|hellip|mdash|ndash|lsquo|rsquo|ldquo|rdquo|euro|[aeiou](?:uml|acute|grave|circ)|szlig|#\d{2,6}|#x[\da-f]{2,5});/i
const URL_LIKE = /\b(?:https?|ftp):\/\/[^\s<>"']{3,200}|\bwww\.[\w-]{1,63}(?:\.[\w-]{1,63})+/i

interface Noise {
  kind: FindingKind
  /** What was seen in the text, for the list; null: nothing. */
  see(text: string, row: RowView): string | null
  severity(count: number, rows: number): Severity
  title(rows: string): string
  explanation: string
  remedies(columns: string[]): Remedy[]
}

const NOISES: Noise[] = [
  {
    kind: 'controlCharacters',
    see(text) {
      const found = CONTROLS.exec(text)
      return found
        ? `U+${found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')} at character ${found.index + 1}`
        : null
    },
    severity: (count, rows) => bySize(count, rows, 0.01),
    title: (rows) => `${rows} with characters that cannot be seen`,
    explanation:
      'Control characters, zero-width characters and marks of direction come from copying and from broken exports. A person does not see them, but the tokenizer does, and cuts words in other places.',
    remedies: (columns) => [
      { label: 'Remove them', steps: [{ kind: 'normalise', columns, controls: true }] },
    ],
  },
  {
    kind: 'mojibake',
    see(text) {
      const fixed = fixMojibake(text)
      if (fixed === text) return text.includes(LOST) ? `a character was lost (${LOST})` : null
      let at = 0
      while (text[at] === fixed[at]) at++
      const start = text.lastIndexOf(' ', at) + 1
      const wordOf = (whole: string): string => excerpt(/^\S*/.exec(whole.slice(start))![0], 30)
      return `“${wordOf(text)}” was “${wordOf(fixed)}”`
    },
    severity: (count, rows) => bySize(count, rows, 0.001),
    title: (rows) => `${rows} in a broken encoding`,
    explanation:
      'The text was written in UTF-8 and read as something else on its way here, so that “é” became “Ã©”. The model would learn to write it like that. Where � stands the character is lost; take the source again, if you have it.',
    remedies: (columns) => [{ label: 'Mend the encoding', steps: [{ kind: 'fixMojibake', columns }] }],
  },
  {
    kind: 'html',
    see(text) {
      const found = TAG.exec(text) ?? ENTITY.exec(text)
      return found ? excerpt(found[0], 40) : null
    },
    severity: (count, rows) => bySize(count, rows, 0.01),
    title: (rows) => `${rows} with HTML in ${rows.startsWith('1 ') ? 'it' : 'them'}`,
    explanation:
      'Tags such as <br> or entities such as &amp;amp; were left when the texts were taken from web pages. Unless the model is to write HTML, they are noise that takes up tokens.',
    remedies: (columns) => [{ label: 'Strip HTML', steps: [{ kind: 'stripHtml', columns }] }],
  },
  {
    kind: 'urls',
    see(text) {
      const found = URL_LIKE.exec(text)
      return found ? excerpt(found[0], 50) : null
    },
    severity: () => 'know',
    title: (rows) => `${rows} with addresses of web pages`,
    explanation:
      'A model cannot open them, and learns to make up addresses that look like them. They take many tokens, and may lead to people.',
    remedies: () => [],
  },
  {
    kind: 'repetition',
    see: repeated,
    severity: (count, rows) => bySize(count, rows, 0.02),
    title: (rows) => `${rows} ${rows.startsWith('1 ') ? 'repeats itself' : 'repeat themselves'}`,
    explanation:
      'The same characters, words or phrases again and again. A model that learns to write from such rows falls into loops.',
    remedies: () => [],
  },
]

export function noiseChecks(input: HealthInput): Check[] {
  if (input.texts.length === 0) return []
  return NOISES.map((noise) => {
    const list = new RowList()
    return {
      kinds: [noise.kind],
      row(row) {
        const seen = noise.see(row.text, row)
        if (seen !== null) list.add(row.index, seen)
      },
      finish() {
        if (list.count === 0) return []
        const remedies = noise.remedies(textColumns(input))
        return [
          finding(input, {
            kind: noise.kind,
            severity: noise.severity(list.count, input.rows),
            title: noise.title(`${plural(list.count, 'row')} (${percent(list.count / input.rows)})`),
            explanation: noise.explanation,
            count: list.count,
            rows: list.rows,
            remedies: remedies.length ? remedies : [dropAll(list)],
          }),
        ]
      },
    }
  })
}
