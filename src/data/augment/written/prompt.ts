// Few-shot prompts (Brown et al. 2020) that show rows of a class and let a model write more, and the reading of its answers.
// Short texts are lines of a list; texts of several lines, and rows of several parts, are blocks between lines of dashes.
import type { WriteForm } from '../../../protocol/written.ts'
import type { RowShape, WrittenRow } from './shape.ts'

/** Stands between blocks. */
const RULE = '---'

export interface WritePrompt {
  form: WriteForm
  /** The text to go on with (`list`), or the message (`chat`). */
  text: string
  /** Where an answer ends. */
  stop: string[]
  blocks: boolean
}

/** What a model wrote of one row; `complete` is false for what the end of the answer cut off. */
export interface Candidate {
  parts: string[] | null
  text: string
  complete: boolean
}

/** @param wanted rows that a message asks for
 *  @param blocks whether texts keep their lines; otherwise each is shown as one line */
export function writePrompt(
  form: WriteForm,
  shape: RowShape,
  examples: readonly WrittenRow[],
  wanted: number,
  blocks: boolean,
): WritePrompt {
  const label = examples[0]!.label
  const kind = label === null ? '' : ` of the kind "${label.replaceAll('_', ' ')}"`
  const what = shape.parts.length > 1 ? 'Examples' : 'Texts'
  const shown = examples.map((row) =>
    blocks ? blockOf(shape, row) : `- ${row.parts[0]!.replace(/\s+/g, ' ')}`,
  )
  if (form === 'list') {
    const opening = shape.parts.length > 1 ? `${shape.parts[0]!.name}:` : blocks ? '' : '-'
    const text = blocks
      ? `${what}${kind}:\n${RULE}\n${shown.join(`\n${RULE}\n`)}\n${RULE}\n${opening}`
      : `${what}${kind}:\n\n${shown.join('\n')}\n${opening}`
    return { form, text, blocks, stop: blocks ? [] : ['\n\n'] }
  }
  const how = blocks
    ? `Put a line ${RULE} between them${shape.parts.length > 1 ? ' and keep their form' : ''}.`
    : 'One a line, each after "- ".'
  const text = `Here are ${what.toLowerCase()}${kind}:\n\n${shown.join(blocks ? `\n${RULE}\n` : '\n')}\n\nWrite ${wanted} new ones${label === null ? '' : ' of the same kind'} that say something else. ${how} Write nothing but them.`
  return { form, text, blocks, stop: [] }
}

function blockOf(shape: RowShape, row: WrittenRow): string {
  if (shape.parts.length === 1) return row.parts[0]!
  return shape.parts
    .map(({ name, optional }, i) => (optional && row.parts[i] === '' ? '' : `${name}: ${row.parts[i]!}\n`))
    .join('')
    .trimEnd()
}

/**
 * The rows of an answer. @param ended whether the model ended it itself, or came to a stop; otherwise its last row is cut off.
 */
export function readAnswer(
  { form, blocks }: WritePrompt,
  shape: RowShape,
  answer: string,
  ended: boolean,
): Candidate[] {
  // The prompt of a list opened the first row.
  const opened = form === 'list' && shape.parts.length > 1 ? `${shape.parts[0]!.name}: ${answer}` : answer
  const { pieces, open } = blocks ? blocksOf(opened) : linesOf(opened, form)
  const found = pieces.map((piece, i) => {
    const text = blocks ? piece.trim() : unquoted(piece.trim())
    const parts = shape.parts.length > 1 ? partsOf(shape, text) : [text]
    return { text, parts, complete: ended || !open || i < pieces.length - 1 }
  })
  // Nothing after the last separator is no row, while an answer without any text is one that failed.
  while (found.length > 1 && found.at(-1)!.text === '') found.pop()
  return found
}

/** Rows of an answer; `open`: the last one goes on to the answer's end, where it may be cut off. */
interface Pieces {
  pieces: string[]
  open: boolean
}

function blocksOf(answer: string): Pieces {
  const pieces = answer.split(/^[ \t]*-{3,}[ \t]*$/m)
  return { pieces, open: pieces.at(-1)!.trim() !== '' }
}

const MARKED = /^\s*(?:[-*•]|\d{1,3}[.)])\s+(.*)$/

/** Lines of a list. The first line of an answer goes on from the prompt's dash; a line without a dash ends the list. */
function linesOf(answer: string, form: WriteForm): Pieces {
  const lines = answer.split(/\r?\n/)
  if (form === 'chat') {
    const listed = lines.some((line) => MARKED.test(line))
    const pieces = lines.flatMap((line) =>
      listed ? (MARKED.exec(line)?.[1] ?? []) : line.trim() === '' ? [] : line,
    )
    const last = lines.at(-1)!
    return {
      pieces: pieces.length > 0 ? pieces : [''],
      open: listed ? MARKED.test(last) : last.trim() !== '',
    }
  }
  const pieces = [lines[0]!]
  let open = lines.length === 1
  for (const [i, line] of lines.slice(1).entries()) {
    if (/^\s*-\s*$/.test(line)) continue
    const row = MARKED.exec(line)?.[1]
    if (row === undefined) break
    pieces.push(row)
    open = i === lines.length - 2
  }
  return { pieces, open }
}

/** Without the quotation marks that chat models put around every line. */
function unquoted(text: string): string {
  const inner = /^["“](.*)["”]$/.exec(text)?.[1]
  return inner !== undefined && !/["“”]/.test(inner) ? inner : text
}

/** The parts of a block, each after its name at the start of a line; null where one is missing or comes twice. */
function partsOf({ parts }: RowShape, block: string): string[] | null {
  const names = parts.map(({ name }) => name).join('|')
  const pieces = block.split(new RegExp(`^(${names}):`, 'm'))
  const found = new Map<string, string>()
  for (let i = 1; i < pieces.length; i += 2) {
    if (found.has(pieces[i]!)) return null
    found.set(pieces[i]!, pieces[i + 1]!.trim())
  }
  const cells = parts.map(({ name }) => found.get(name) ?? '')
  return cells.some((cell, i) => cell === '' && !parts[i]!.optional) ? null : cells
}
