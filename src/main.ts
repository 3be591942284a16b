// The page starts here: the scripting API is made, put on window.graft, and the views are drawn around it.
import '@fontsource-variable/inter/index.css'
import './ui/tokens.css'
import './ui/base.css'
import { mount } from 'svelte'
import AppView from './App.svelte'
import { createGraft } from './client/api.ts'
import type { GraftApi } from './protocol/api.ts'
import { keepForOffline, spawn } from './spawn.ts'
import { App } from './state/app.svelte.ts'

declare global {
  interface Window {
    graft: GraftApi
  }
}

const graft = createGraft(spawn)
window.graft = graft
const app = new App(graft)
mount(AppView, { target: document.getElementById('app')!, props: { app } })
void app.start()
void keepForOffline()
