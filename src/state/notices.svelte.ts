// Messages that are not part of a view: coded errors, and short confirmations.
import { asGraftError, type GraftError } from '../protocol/errors.ts'

export interface Notice {
  id: number
  kind: 'error' | 'done'
  /** What was being done, in the user's words. */
  title: string
  message: string
  error?: GraftError
  /** What can be done about it in one click. */
  action?: { label: string; run: () => void }
}

/** Confirmations leave by themselves after this many milliseconds; errors stay until they are dismissed. */
const DONE_MS = 4000

export class Notices {
  items = $state.raw<Notice[]>([])
  /** Called for every error shown. */
  afterFail: (error: GraftError) => void = () => undefined
  #next = 1

  /** Shows an error; a cancellation is no error and is not shown. */
  fail(title: string, thrown: unknown, action?: Notice['action']): void {
    const error = asGraftError(thrown)
    if (error.code === 'E_ABORTED') return
    console.error(title, error)
    this.afterFail(error)
    if (this.items.some((item) => item.title === title && item.message === error.message)) return
    this.#add({ kind: 'error', title, message: error.message, error, ...(action ? { action } : {}) })
  }

  done(title: string, message = '', action?: Notice['action']): void {
    const id = this.#add({ kind: 'done', title, message, ...(action ? { action } : {}) })
    setTimeout(() => this.dismiss(id), DONE_MS)
  }

  dismiss(id: number): void {
    this.items = this.items.filter((item) => item.id !== id)
  }

  #add(notice: Omit<Notice, 'id'>): number {
    const id = this.#next++
    this.items = [...this.items.slice(-4), { ...notice, id }]
    return id
  }
}

/** What "Copy details" copies: enough to report a fault, nothing of the user's data. */
export function errorDetails(title: string, error: GraftError, version: string): string {
  const { code, message, details, stack } = error
  return JSON.stringify(
    { graft: version, doing: title, code, message, details, stack, agent: navigator.userAgent },
    null,
    2,
  )
}
