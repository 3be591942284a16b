// A model's chat template over @huggingface/jinja, with the marks by which newer templates say which words are the model's
// (`{% generation %}`, huggingface/transformers#30650). The library leaves these marks out; here they become text that no
// message holds, which is found and taken out again after rendering.
import { Template } from '@huggingface/jinja'
import { GraftError } from '../protocol/errors.ts'
import type { Message } from '../protocol/target.ts'

export interface MarkedText {
  text: string
  /** [begin, end) of each stretch that is the model's, in characters, in order. */
  spans: [number, number][]
}

/** `{%- generation -%}` or `{%- endgeneration -%}`. */
const MARK = /\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}/g

export class ChatTemplate {
  readonly #variables: Readonly<Record<string, string>>
  readonly #template: Template
  readonly #hasMarks: boolean

  /** Throws E_MODEL_UNSUPPORTED for a template that cannot be read. */
  constructor(source: string, variables: Readonly<Record<string, string>>) {
    this.#variables = variables
    // Each mark stays a block tag, so that white space around it is trimmed as Jinja trims it.
    const marked = source.replace(
      MARK,
      (_, left: string, end: string | undefined, right: string) =>
        `{%${left} if true %}{{ graft_${end ? 'end' : 'begin'} }}{% endif ${right}%}`,
    )
    this.#hasMarks = marked !== source
    this.#template = parse(marked)
  }

  /** Throws E_DATASET if the template refuses the messages. */
  render(messages: Message[], addGenerationPrompt: boolean): string {
    return this.#render(messages, addGenerationPrompt, '', '')
  }

  /** The text and what of it is marked as the model's; null where the template has no marks. */
  renderMarked(messages: Message[]): MarkedText | null {
    if (!this.#hasMarks) return null
    const mark = unused(JSON.stringify(messages))
    const parts = this.#render(messages, false, `${mark}(`, `${mark})`).split(mark)
    let text = parts[0]!
    const spans: [number, number][] = []
    let begin: number | null = null
    for (const part of parts.slice(1)) {
      if (part.startsWith('(')) begin = text.length
      else if (begin !== null) {
        if (text.length > begin) spans.push([begin, text.length])
        begin = null
      }
      text += part.slice(1)
    }
    return { text, spans }
  }

  #render(messages: Message[], addGenerationPrompt: boolean, begin: string, end: string): string {
    try {
      return this.#template.render({
        ...this.#variables,
        messages,
        add_generation_prompt: addGenerationPrompt,
        graft_begin: begin,
        graft_end: end,
      })
    } catch (cause) {
      throw new GraftError(
        'E_DATASET',
        `The model's chat template refuses these messages: ${cause instanceof Error ? cause.message : String(cause)}`,
        {},
        { cause },
      )
    }
  }
}

function parse(source: string): Template {
  try {
    return new Template(source)
  } catch (cause) {
    throw new GraftError(
      'E_MODEL_UNSUPPORTED',
      `The chat template of this model cannot be read: ${String(cause)}. Choose another base model.`,
      {},
      { cause },
    )
  }
}

/** Private-use characters that the text does not hold. */
function unused(text: string): string {
  let mark = '\uE0FF\uE0FE'
  while (text.includes(mark)) mark = `\uE0FF${mark}`
  return mark
}
