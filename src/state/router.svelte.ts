// Where the person is: a view and, where the view has one, the id of what is open. It lives in the address
// (#/train/run-1), so that reload, back and a copied link return to the same place.
import type { Selection } from './selection.svelte.ts'

export const VIEWS = ['data', 'model', 'train', 'evaluate', 'explain', 'generate', 'export'] as const
export type ViewName = (typeof VIEWS)[number]

export interface Route {
  view: ViewName
  id: string | null
}

/** The route of a hash; whatever is not known leads to the first view. */
export function parseHash(hash: string): Route {
  const [view = '', id = ''] = hash.replace(/^#\/?/, '').split('/')
  const known = VIEWS.find((name) => name === view)
  return known ? { view: known, id: id ? safeDecode(id) : null } : { view: 'data', id: null }
}

export function hashOf(view: ViewName, id?: string | null): string {
  return id ? `#/${view}/${encodeURIComponent(id)}` : `#/${view}`
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export class Router {
  route = $state.raw<Route>({ view: 'data', id: null })
  readonly #selection: Selection

  constructor(selection: Selection) {
    this.#selection = selection
    const hash = location.hash || selection.place
    this.route = parseHash(hash)
    if (!location.hash) history.replaceState(null, '', hashOf(this.route.view, this.route.id))
    addEventListener('hashchange', () => this.#read())
    this.#read()
  }

  go(view: ViewName, id?: string | null): void {
    location.hash = hashOf(view, id)
  }

  #read(): void {
    this.route = parseHash(location.hash)
    this.#selection.place = hashOf(this.route.view, this.route.id)
  }
}
