// Script addresses for workers that a worker starts, under a policy that demands Trusted Types. A name of a policy can be
// taken once in each worker, so all of them come here.

interface ScriptPolicy {
  createScriptURL(url: string): string
}
interface TrustedTypes {
  createPolicy(name: string, rules: ScriptPolicy): ScriptPolicy
}

let policy: ScriptPolicy | undefined

/** A script address of our own site in the form that `new Worker` accepts. Throws TypeError for another site's. */
export function trustedScript(url: string): string {
  if (new URL(url, self.location.href).origin !== self.location.origin)
    throw new TypeError(`Workers load scripts of their own site only, not ${url}.`)
  const { trustedTypes } = self as { trustedTypes?: TrustedTypes }
  policy ??= trustedTypes?.createPolicy('app-worker', { createScriptURL: (own) => own })
  return policy ? policy.createScriptURL(url) : url
}
