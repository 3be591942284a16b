// What was last chosen, kept over a reload: ids and small words only, never data.
const STORAGE_KEY = 'graft.selection'

interface Kept {
  /** Last place, as a hash. */
  place: string
  dataset: string | null
  model: string | null
  run: string | null
  /** Text typed in Explain and Generate. */
  text: string
  theme: 'auto' | 'light' | 'dark'
}

const START: Kept = { place: '', dataset: null, model: null, run: null, text: '', theme: 'auto' }

function read(): Kept {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? 'null')
    return value !== null && typeof value === 'object' ? { ...START, ...value } : START
  } catch {
    // Storage is blocked or holds something else: start afresh.
    return START
  }
}

export class Selection {
  #kept = $state<Kept>(read())

  get place() {
    return this.#kept.place
  }
  set place(value) {
    this.#set('place', value)
  }
  get dataset() {
    return this.#kept.dataset
  }
  set dataset(value) {
    this.#set('dataset', value)
  }
  get model() {
    return this.#kept.model
  }
  set model(value) {
    this.#set('model', value)
  }
  get run() {
    return this.#kept.run
  }
  set run(value) {
    this.#set('run', value)
  }
  get text() {
    return this.#kept.text
  }
  set text(value) {
    this.#set('text', value)
  }
  get theme() {
    return this.#kept.theme
  }
  set theme(value) {
    this.#set('theme', value)
    applyTheme(value)
  }

  constructor() {
    applyTheme(this.#kept.theme)
  }

  #set<K extends keyof Kept>(key: K, value: Kept[K]): void {
    this.#kept[key] = value
    try {
      localStorage.setItem(STORAGE_KEY, JSON.stringify(this.#kept))
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  }
}

function applyTheme(theme: Kept['theme']): void {
  if (theme === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
}
