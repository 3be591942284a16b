// What the Explain view is asked, shared by its tabs and kept in the address: the text, the number that is explained, the
// pieces it is told in, and the piece that is pointed at or pinned, which every drawing of the page marks.
import { untrack } from 'svelte'
import type { ExplainInput, Granularity, OutputChoice } from '../protocol/explain.ts'
import { GRANULARITIES } from '../protocol/explain.ts'
import type { ModelInfo } from '../protocol/model.ts'
import type { Target } from '../protocol/target.ts'
import type { RunState } from './runs.svelte.ts'
import { searchOf } from './query.ts'
import type { Route, Router } from './router.svelte.ts'
import type { Selection } from './selection.svelte.ts'
import { targetFromQuery, targetToQuery } from './targetAddress.ts'

/** What drawings say of the target that was asked. */
export interface QuestionTarget {
  name: string
  baseName: string
  /** The base, while it is in this browser, and the run, where the target is one. */
  base: ModelInfo | undefined
  run: RunState | undefined
  /** Something stands beside the base. */
  tuned: boolean
  classify: boolean
  labels: string[] | null
}

/** What was asked when Explain was pressed: results on the page belong to it, whatever is typed afterwards. */
export interface Question {
  /** Counts up. */
  id: number
  /** The first one since the address was opened, which may say more of it. */
  first: boolean
  target: Target
  /** What the target was then: its name, and what kind of answers it gives. */
  asked: QuestionTarget
  text: string
  input: ExplainInput
  choice: OutputChoice
  /** Tokens of the text, where the model reads only the first of them. */
  cut?: { read: number; of: number }
}

export class Explaining {
  /** Label or next token to explain, and the one it is held against; empty: the most likely one, and none. */
  output = $state('')
  contrast = $state('')
  granularity = $state<Granularity>('word')
  /** Gradient x input is asked for again at each key. */
  live = $state(false)
  /** The text is put as a question of a chat, as an instruct or chat run has learned it. */
  asChat = $state(true)
  /** The text was explained: who opens the address again sees that again. */
  asked = $state(false)
  /** The target that the address named when it was opened. */
  target: Target | null = null
  /** Counts addresses that were opened: what is shown begins afresh with each. */
  opened = $state(0)
  /** The address that was opened says that its text was explained: it is to be again. */
  renew = $state(false)
  /** What the address says after it was written here. */
  #written = ''
  #questions = 0
  /** Tokens [from, to) that are pointed at, and that were clicked. */
  hovered = $state.raw<{ from: number; to: number } | null>(null)
  pinned = $state.raw<{ from: number; to: number } | null>(null)
  question = $state.raw<Question | null>(null)
  /** Results over many rows, by target and name: they do not hang on a question. */
  readonly #ofTargets: Record<string, unknown> = {}
  /** What tabs keep in the address besides; see `hold`. */
  held = $state.raw<Readonly<Record<string, string>>>({})
  readonly #router: Router
  readonly #selection: Selection
  /** Results of the last question, by the name a tab gives them: a tab that is opened again has them still. */
  #results: Record<string, unknown> = {}

  constructor(router: Router, selection: Selection) {
    this.#router = router
    this.#selection = selection
    const { view, query = {} } = router.route
    if (view === 'explain') this.#read(query)
  }

  /** Whether the address says something else than what was written there: a link was opened, or the way back gone. */
  open({ view, query }: Route): boolean {
    if (view !== 'explain' || !query || searchOf(query) === this.#written) return false
    this.#read(query)
    this.opened++
    return true
  }

  #read(query: Readonly<Record<string, string>>): void {
    const { target, rest } = targetFromQuery(query)
    const {
      text: _text,
      output: _output,
      contrast: _contrast,
      by: _by,
      at: _at,
      live: _live,
      chat: _chat,
      asked: _asked,
      ...held
    } = rest
    this.held = held
    this.target = target
    this.asChat = query.chat !== '0'
    this.asked = this.renew = query.asked === '1'
    this.question = null
    this.#results = {}
    if (query.text !== undefined) this.#selection.text = query.text
    this.output = query.output ?? ''
    this.contrast = query.contrast ?? ''
    this.granularity = GRANULARITIES.find((name) => name === query.by) ?? 'word'
    this.live = query.live === '1'
    const span = /^(\d{1,6})-(\d{1,6})$/.exec(query.at ?? '')
    this.pinned = span ? { from: Number(span[1]), to: Number(span[2]) } : null
    this.hovered = null
  }

  get tab(): string | null {
    return this.#router.route.view === 'explain' ? this.#router.route.id : null
  }

  /** What every drawing marks: what is pointed at, else what is pinned. */
  get marked(): { from: number; to: number } | null {
    return this.hovered ?? this.pinned
  }

  /** Pins a piece, or releases it where it is pinned already. */
  pin(span: { from: number; to: number } | null): void {
    const same = span && this.pinned?.from === span.from && this.pinned.to === span.to
    this.pinned = same ? null : span
  }

  /** Nothing is marked any more. */
  release(): void {
    this.hovered = this.pinned = null
  }

  /** Writes the state to the address; call it in an effect of the view. `target`: whom the fields are for. */
  keep(tab: string, target: Target | null): void {
    const text = this.#selection.text
    const query = {
      ...(text && { text }),
      ...(this.output && { output: this.output }),
      ...(this.contrast && { contrast: this.contrast }),
      ...(this.granularity !== 'word' && { by: this.granularity }),
      ...(this.live && { live: '1' }),
      ...(!this.asChat && { chat: '0' }),
      ...(target && targetToQuery(target)),
      ...(this.asked && { asked: '1' }),
      ...(this.pinned && { at: `${this.pinned.from}-${this.pinned.to}` }),
      ...this.held,
    }
    this.#written = searchOf(query)
    this.#router.keep(tab, query)
  }

  /** What a tab wants the address to say of it, by names of its own; empty texts are left out. */
  hold(named: Readonly<Record<string, string>>): void {
    // An effect that holds must not run again for what it held.
    const all = Object.entries({ ...untrack(() => this.held), ...named })
    this.held = Object.fromEntries(all.filter(([, value]) => value !== ''))
  }

  /** A new question: what was found out for the one before is forgotten. */
  ask(question: Omit<Question, 'id' | 'first'>): void {
    if (this.question && this.question.text !== question.text) this.pinned = this.hovered = null
    this.#results = {}
    this.asked = true
    this.question = { ...question, id: ++this.#questions, first: this.question === null }
  }

  /** A result of the question that is open, or undefined. */
  result<T>(name: string): T | undefined {
    return this.#results[name] as T | undefined
  }

  /** A result over many rows, by the name of its target (`targetStamp`) and its own. */
  resultOf<T>(target: string, name: string): T | undefined {
    return this.#ofTargets[`${target}/${name}`] as T | undefined
  }

  rememberOf(target: string, name: string, result: unknown): void {
    this.#ofTargets[`${target}/${name}`] = result
  }

  /** Keeps a result, unless another question has been asked meanwhile. */
  remember(question: Question, name: string, result: unknown): void {
    if (question.id === this.question?.id) this.#results[name] = result
  }
}
