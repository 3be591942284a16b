// What an import says and offers, in plain words.
import type { Encoding, Preview, ShapeName } from '../../protocol/bringIn.ts'
import { SURE } from '../../protocol/bringIn.ts'
import type { ColumnType, FileFormat } from '../../protocol/data.ts'

export const FORMAT_NAMES: Record<FileFormat, string> = {
  csv: 'Table (CSV)',
  json: 'JSON',
  jsonl: 'JSON Lines',
  parquet: 'Parquet',
  text: 'Plain text',
  zip: 'Zip archive',
}

export const ENCODING_NAMES: Record<Encoding, string> = {
  'utf-8': 'UTF-8',
  'utf-16le': 'UTF-16 (little-endian)',
  'utf-16be': 'UTF-16 (big-endian)',
  'windows-1252': 'Windows-1252 (Western European)',
}

export const DELIMITER_NAMES: Record<string, string> = {
  ',': 'Comma',
  ';': 'Semicolon',
  '\t': 'Tab',
  '|': 'Bar |',
  '\u001f': 'None: one column',
}

export const TYPE_NAMES: Record<ColumnType, string> = {
  text: 'Text',
  category: 'Category',
  number: 'Number',
  boolean: 'Yes or no',
  date: 'Date',
  empty: 'Empty',
}

export const SHAPE_NAMES: Record<ShapeName, string> = {
  alpaca: 'Instructions (Alpaca)',
  sharegpt: 'Conversations (ShareGPT)',
  openai: 'Conversations (OpenAI messages)',
  promptCompletion: 'Prompts and completions',
  preference: 'Preference pairs',
  textLabel: 'Texts with a label',
  multiLabel: 'Texts with several labels',
  textPair: 'Pairs of texts',
  text: 'Texts',
}

/** How the file was read, in one sentence. */
export function readAs(preview: Preview): string {
  const { format, encoding, delimiter, header, unit } = preview
  const bytes = encoding ? ` in ${ENCODING_NAMES[encoding].replace(/ \(.*/, '')}` : ''
  switch (format) {
    case 'csv': {
      const cut =
        delimiter === '\u001f' || preview.columns.length === 1
          ? 'with one column'
          : `with a ${(DELIMITER_NAMES[delimiter] ?? `“${delimiter}”`).toLowerCase().replace(' |', '')} between cells`
      return `Read as a table${bytes}, ${cut}; ${header ? 'the first row names the columns' : 'the first row is data'}.`
    }
    case 'json':
    case 'jsonl':
      return `Read as ${FORMAT_NAMES[format]}${bytes}: one row an object, one column a key.`
    case 'parquet':
      return 'Read as Parquet, which brings its columns along.'
    case 'text':
      return `Read as plain text${bytes}, one row a ${unit ?? 'paragraph'}.`
    case 'zip':
      return unit
        ? `Read as an archive of texts, one row a ${unit}${preview.columns.some(({ name }) => name === 'label') ? ', labelled by its folder' : ''}.`
        : 'Read as an archive of tables, one after the other.'
  }
}

/** What a person should look at, most important first. */
export function doubts({ confidence, encoding, guarded, quote }: Preview): string[] {
  const found: string[] = []
  if (confidence.encoding < SURE)
    found.push(
      `The file does not say how its characters are stored; ${encoding ? ENCODING_NAMES[encoding] : 'this'} fits. If letters such as é or ß look wrong below, choose another encoding.`,
    )
  if (confidence.header < SURE)
    found.push('It is not clear whether the first row names the columns. Look at the table, then say so.')
  if (quote === "'")
    found.push(
      'Cells stand in single quotes, which were taken off. If they belong to the texts, choose another quote.',
    )
  if (guarded)
    found.push(
      'Cells begin with an apostrophe before = + - or @, as a guarded export writes them. The apostrophes are taken off.',
    )
  return found
}
