// How a view gets the application's state: Svelte's context, typed, with one key.
import { getContext, setContext } from 'svelte'
import type { App } from './app.svelte.ts'

const KEY = Symbol('graft')

export function setApp(app: App): App {
  return setContext(KEY, app)
}

export function getApp(): App {
  return getContext<App>(KEY)
}
