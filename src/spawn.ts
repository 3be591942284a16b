// Starting our workers under a policy that demands Trusted Types for script URLs.
import engineUrl from '../workers/engine.ts?worker&url'
import dataUrl from '../workers/data.ts?worker&url'

interface ScriptUrlPolicy {
  createScriptURL(url: string): string
}
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): ScriptUrlPolicy
}

const OFFLINE = `${import.meta.env.BASE_URL}sw.js`
const OURS = [engineUrl, dataUrl, OFFLINE]

const rules = {
  createScriptURL(url: string): string {
    if (!OURS.includes(url)) throw new TypeError(`Not a worker of Graft: ${url}`)
    return url
  },
}
// Browsers without Trusted Types take the string itself.
const policy: ScriptUrlPolicy =
  (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy('app-worker', rules) ?? rules

export const spawn = {
  engine: () => new Worker(policy.createScriptURL(engineUrl), { type: 'module', name: 'graft-engine' }),
  data: () => new Worker(policy.createScriptURL(dataUrl), { type: 'module', name: 'graft-data' }),
}

/** Keeps this build's files in the browser, so that Graft opens again without a network. Development serves them anew. */
export async function keepForOffline(): Promise<void> {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return
  // A browser that refuses (a private window, say) still works with a network.
  await navigator.serviceWorker.register(policy.createScriptURL(OFFLINE)).catch(() => undefined)
}
