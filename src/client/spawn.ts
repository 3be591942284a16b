// Starting our two workers under a policy that demands Trusted Types for script URLs.
import engineUrl from '../../workers/engine.ts?worker&url'
import dataUrl from '../../workers/data.ts?worker&url'

interface ScriptUrlPolicy {
  createScriptURL(url: string): string
}
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): ScriptUrlPolicy
}

const OURS = [engineUrl, dataUrl]

const rules = {
  createScriptURL(url: string): string {
    if (!OURS.includes(url)) throw new TypeError(`Not a worker of Graft: ${url}`)
    return url
  },
}
// Browsers without Trusted Types take the string itself.
const policy: ScriptUrlPolicy =
  (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy('app-worker', rules) ?? rules

export const spawnEngine = () =>
  new Worker(policy.createScriptURL(engineUrl), { type: 'module', name: 'graft-engine' })
export const spawnData = () =>
  new Worker(policy.createScriptURL(dataUrl), { type: 'module', name: 'graft-data' })
