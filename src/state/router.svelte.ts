// Where the person is: a view and, where the view has one, the id of what is open, and a row of it. It lives in the
// address (#/train/run-1, #/data/set-1/12), so that reload, back and a copied link return to the same place.
import { queryOf, searchOf } from './query.ts'
import type { Selection } from './selection.svelte.ts'

export const VIEWS = ['data', 'model', 'train', 'evaluate', 'explain', 'generate', 'export'] as const
export type ViewName = (typeof VIEWS)[number]

export interface Route {
  view: ViewName
  id: string | null
  /** Index of a dataset's row, from 0. */
  row?: number
  /** What else a view keeps in the address: #/explain/words?text=Hello */
  query?: Record<string, string>
}

/** The route of a hash; whatever is not known leads to the first view. */
export function parseHash(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s)
  const [view = '', id = '', row = ''] = path.split('/')
  const query = queryOf(search)
  const known = VIEWS.find((name) => name === view)
  if (!known) return { view: 'data', id: null }
  return {
    view: known,
    id: id ? safeDecode(id) : null,
    ...(/^\d{1,9}$/.test(row) && { row: Number(row) }),
    ...(Object.keys(query).length > 0 && { query }),
  }
}

export function hashOf(view: ViewName, id?: string | null, row?: number): string {
  if (!id) return `#/${view}`
  return `#/${view}/${encodeURIComponent(id)}${row === undefined ? '' : `/${row}`}`
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
  /** Called when the person went somewhere, before anything is drawn. */
  onmove: (route: Route) => void = () => undefined

  constructor(selection: Selection) {
    this.#selection = selection
    const hash = location.hash || selection.place
    this.route = parseHash(hash)
    if (!location.hash) history.replaceState(null, '', hashOf(this.route.view, this.route.id, this.route.row))
    addEventListener('hashchange', () => {
      this.#read()
      this.onmove(this.route)
    })
    this.#read()
  }

  go(view: ViewName, id?: string | null): void {
    location.hash = hashOf(view, id)
  }

  /** Puts what the open view keeps in the address there, without a step back to what it was before. */
  keep(id: string | null, query: Readonly<Record<string, string>>): void {
    const { view } = this.route
    const search = searchOf(query)
    const hash = `${hashOf(view, id)}${search && `?${search}`}`
    if (hash === location.hash) return
    history.replaceState(history.state, '', hash)
    this.#read()
  }

  #read(): void {
    this.route = parseHash(location.hash)
    this.#selection.place = hashOf(this.route.view, this.route.id, this.route.row)
  }
}
