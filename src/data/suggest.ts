// A guess of what a table is for, from the names of its columns and from what is in them. It is only ever a suggestion:
// the user sees it and confirms.
import type { TaskConfig } from '../protocol/data.ts'
import type { ColumnProfile } from './columns.ts'

const LABEL_NAMES = names(
  'label labels category categories class intent sentiment target topic tag emotion type stars rating polarity',
)
const TEXT_NAMES = names(
  'text sentence utterance review content message comment body query title tweet post document question input',
)
const PROMPT_NAMES = names('prompt instruction instructions question query input user')
const COMPLETION_NAMES = names('completion answer response output reply assistant solution chosen')
/** Alpaca's `input`, and what question-answering sets call the same. */
const INPUT_NAMES = names('input context')
const SYSTEM_NAMES = names('system systemprompt systemmessage')
/** What says which row it is, not what is in it. */
const IDENTIFIER_NAMES = names('id uuid file filename path url link timestamp')
const MESSAGES_NAMES = names('messages conversations conversation chat dialog dialogue')

/** Most values of a column of numbers that still look like labels (stars, yes/no as 0 and 1). */
const NUMBER_LABELS = 20
/** Share of cells that must hold a conversation. */
const CONVERSATION_SHARE = 0.9

/** The most likely task and its columns, or null if no column holds text. */
export function suggestTask(columns: readonly ColumnProfile[]): TaskConfig | null {
  const chat = suggestChat(columns)
  if (chat) return chat

  const pair = suggestPair(columns)
  if (pair) return pair

  const classify = suggestClassify(columns)
  if (classify) return classify

  const texts = columns.filter(isText)
  const told = texts.filter(
    (column) =>
      !IDENTIFIER_NAMES.has(key(column)) && !(LABEL_NAMES.has(key(column)) && column.meanLength < 40),
  )
  const [first, second] = told.length > 0 ? told : texts
  if (first && second) {
    const spaced = first.filled > 0 && first.endsInSpace > first.filled / 2
    return {
      task: 'complete',
      columns: { prompt: first.name, completion: second.name },
      separator: spaced ? '' : '\n',
    }
  }
  const only = first ?? columns.find((column) => column.type === 'category' && TEXT_NAMES.has(key(column)))
  return only ? { task: 'complete', columns: { text: only.name } } : null
}

/** OpenAI's messages, ShareGPT's conversations, or TRL's prompt and completion as lists of messages. */
function suggestChat(columns: readonly ColumnProfile[]): TaskConfig | null {
  const talks = columns.filter(
    (column) => column.conversations >= CONVERSATION_SHARE && key(column) !== 'rejected',
  )
  const answer = talks.find((column) => COMPLETION_NAMES.has(key(column)))
  const before = columns.find((column) => PROMPT_NAMES.has(key(column)) && column.type !== 'empty')
  const system = systemOf(columns)
  // Preference sets also have `chosen` with the whole conversation in it, beside a prompt in plain text.
  const whole = talks.find((column) => MESSAGES_NAMES.has(key(column)))
  if (!whole && answer && before && talks.includes(before))
    return { task: 'chat', columns: { prompt: before.name, completion: answer.name, ...system } }
  const messages = whole ?? answer ?? talks[0]
  return messages ? { task: 'chat', columns: { messages: messages.name, ...system } } : null
}

/** A question and its answer; or, where the texts bring the space between them along, a text and how it goes on. */
function suggestPair(columns: readonly ColumnProfile[]): TaskConfig | null {
  const prompts = columns.filter((column) => PROMPT_NAMES.has(key(column)) && isText(column))
  const completion = columns.find((column) => COMPLETION_NAMES.has(key(column)) && column.type !== 'empty')
  // Of Alpaca's two, the instruction is the prompt, wherever its column stands.
  const named = columns.find((column) => /^instructions?$/.test(key(column)) && column.type !== 'empty')
  const prompt = named ?? prompts.find((column) => column !== completion)
  if (!prompt || !completion || prompt === completion) return null
  // Short answers that repeat are labels, unless the name says otherwise in so many words.
  const input = columns.find(
    (column) => INPUT_NAMES.has(key(column)) && column !== prompt && column.type !== 'empty',
  )
  if (isLabelLike(completion) && key(completion) !== 'completion' && !(named && input)) return null
  if (key(prompt) === 'prompt' && key(completion) === 'completion' && bringsSpace(prompt, completion))
    return {
      task: 'complete',
      columns: { prompt: prompt.name, completion: completion.name },
      separator: '',
    }
  return {
    task: 'instruct',
    columns: {
      prompt: prompt.name,
      completion: completion.name,
      ...(input && input !== completion ? { input: input.name } : {}),
      ...systemOf(columns),
    },
  }
}

/** TRL and OpenAI's older format join both texts as they are, so one of them holds the space between. */
function bringsSpace(prompt: ColumnProfile, completion: ColumnProfile): boolean {
  return completion.startsInSpace > completion.filled / 2 || prompt.endsInSpace > prompt.filled / 2
}

function systemOf(columns: readonly ColumnProfile[]): { system?: string } {
  const system = columns.find((column) => SYSTEM_NAMES.has(key(column)) && column.type !== 'empty')
  return system ? { system: system.name } : {}
}

function suggestClassify(columns: readonly ColumnProfile[]): TaskConfig | null {
  const labels = columns.filter(isLabelLike).sort((a, b) => labelScore(b) - labelScore(a))
  const label = labels[0]
  if (!label) return null
  const texts = columns
    .filter(
      (column) =>
        column !== label &&
        (isText(column) || (TEXT_NAMES.has(key(column)) && column.meanLength > label.meanLength)),
    )
    .sort((a, b) => textScore(b) - textScore(a))
  const text = texts[0]
  // Two long texts and a category that no name calls a label: the category is more likely a remark.
  if (
    !text ||
    (texts.filter(isText).length > 1 && !LABEL_NAMES.has(key(label)) && !TEXT_NAMES.has(key(text)))
  )
    return null
  return { task: 'classify', columns: { text: text.name, label: label.name } }
}

function isText(column: ColumnProfile): boolean {
  return column.type === 'text'
}

function isLabelLike(column: ColumnProfile): boolean {
  if (column.distinct < 2) return false
  if (column.type === 'category' || column.type === 'boolean') return true
  if (column.type === 'number')
    return column.distinct <= NUMBER_LABELS && column.distinct * 2 <= column.filled
  // A small table: every label may stand there once, so only its name tells.
  return (
    LABEL_NAMES.has(key(column)) && column.type === 'text' && column.meanLength < 40 && column.distinct < 50
  )
}

function labelScore(column: ColumnProfile): number {
  return (LABEL_NAMES.has(key(column)) ? 10 : 0) + (column.type === 'number' ? 0 : 1) + 1 / column.distinct
}

function textScore(column: ColumnProfile): number {
  return (TEXT_NAMES.has(key(column)) ? 1000 : 0) + Math.min(column.meanLength, 999)
}

function key(column: ColumnProfile): string {
  return column.name.toLowerCase().replace(/[^a-z]/g, '')
}

function names(list: string): ReadonlySet<string> {
  return new Set(list.split(' '))
}
