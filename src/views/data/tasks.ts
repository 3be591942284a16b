// The four tasks in plain words, and the columns that each one asks for.
import type { Column, Dataset, Task, TaskColumns, TaskConfig } from '../../protocol/data.ts'

export interface TaskRole {
  key: keyof TaskColumns
  label: string
  help: string
  optional?: boolean
}

export interface TaskChoice {
  task: Task
  label: string
  about: string
  roles: TaskRole[]
}

const SYSTEM: TaskRole = {
  key: 'system',
  label: 'System column',
  help: 'Who the model is to be, said before the conversation. Given to it and not trained; a cell may be empty.',
  optional: true,
}

export const TASKS: TaskChoice[] = [
  {
    task: 'classify',
    label: 'Label',
    about: 'Give each text one label out of a fixed set.',
    roles: [
      { key: 'text', label: 'Text column', help: 'What the model reads.' },
      { key: 'label', label: 'Label column', help: 'The label that the model learns to give.' },
    ],
  },
  {
    task: 'instruct',
    label: 'Answer',
    about: 'Answer a question or follow an instruction.',
    roles: [
      { key: 'prompt', label: 'Question column', help: 'What the person asks.' },
      {
        key: 'completion',
        label: 'Answer column',
        help: 'What the model learns to answer. Only the answer is trained.',
      },
      {
        key: 'input',
        label: 'Input column',
        help: 'What the question is about, such as a text to translate. It follows the question on the next line; a cell may be empty.',
        optional: true,
      },
      SYSTEM,
    ],
  },
  {
    task: 'chat',
    label: 'Chat',
    about: 'Continue conversations of several turns.',
    roles: [
      {
        key: 'messages',
        label: 'Messages column',
        help: 'A JSON list of {role, content} or {from, value} in each cell.',
      },
      SYSTEM,
    ],
  },
  {
    task: 'complete',
    label: 'Continue text',
    about: 'Continue a text, from nothing or from a beginning.',
    roles: [
      {
        key: 'prompt',
        label: 'Beginning column',
        help: 'Given to the model and not trained. It may be left out.',
        optional: true,
      },
      { key: 'completion', label: 'Text column', help: 'What the model learns to write.' },
    ],
  },
]

/** A conversation in two columns: what was said before, and what the model learns to say. */
const CHAT_IN_TWO: TaskRole[] = [
  {
    key: 'prompt',
    label: 'Conversation before',
    help: 'A JSON list of messages, or the text of one question. Given to the model and not trained.',
  },
  {
    key: 'completion',
    label: 'Answer column',
    help: 'A JSON list of messages, or the text of one answer, that the model learns.',
  },
  SYSTEM,
]

/** Whether a chat has its conversation in two columns. */
export function inTwoColumns({ task, columns }: TaskConfig): boolean {
  return (
    task === 'chat' && columns.messages === undefined && (columns.prompt ?? columns.completion) !== undefined
  )
}

/** The columns that a task asks for as it is set up. */
export function rolesOf(config: TaskConfig): TaskRole[] {
  return inTwoColumns(config) ? CHAT_IN_TWO : taskChoice(config.task).roles
}

export function taskChoice(task: Task): TaskChoice {
  return TASKS.find((choice) => choice.task === task)!
}

/** What the form opens with: what was confirmed, else the guess, else a first choice to correct. */
export function startConfig(dataset: Dataset): TaskConfig {
  const config = dataset.config ?? dataset.suggestion ?? { task: 'classify', columns: {} }
  // The form shows a text without a beginning in the place of the text that follows one.
  if (config.task === 'complete' && config.columns.text !== undefined)
    return { ...config, columns: { completion: config.columns.text } }
  return config
}

/** The form's choice as the engine knows it: a text without a beginning is `text`. */
export function finishConfig(config: TaskConfig): TaskConfig {
  const { task, columns, separator, turns } = config
  if (task === 'chat') return { task, columns: { ...columns }, ...(turns ? { turns } : {}) }
  if (task !== 'complete') return { task, columns: { ...columns } }
  if (columns.prompt) return { task, columns: { ...columns }, ...(separator ? { separator } : {}) }
  return { task, columns: columns.completion ? { text: columns.completion } : {} }
}

/** Columns for another task, taken from what is chosen now where the roles have something in common. */
export function columnsFor(task: Task, old: TaskColumns, columns: Column[]): TaskColumns {
  const names = columns.filter((column) => column.type !== 'empty').map((column) => column.name)
  const input = old.text ?? old.prompt ?? names[0]
  const output = old.label ?? old.completion ?? names.find((name) => name !== input)
  const some = (entries: Record<string, string | undefined>) =>
    Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as TaskColumns
  switch (task) {
    case 'classify':
      return some({ text: input, label: output })
    case 'instruct':
      return some({ prompt: input, completion: output, input: old.input, system: old.system })
    case 'chat':
      return some({ messages: old.messages ?? names[0], system: old.system })
    case 'complete':
      return output ? some({ prompt: input, completion: output }) : some({ completion: input })
    default:
      return task satisfies never
  }
}
