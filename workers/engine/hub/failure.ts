// What can go wrong between here and the Hub, in words: which host, which status, which file, and what to do next.
// https://huggingface.co/docs/hub/api, and the X-Error-Code values that huggingface_hub reads too.
import { GraftError } from '../../../src/protocol/errors.ts'

/** What a request was for. */
export interface Subject {
  url: URL
  /** owner/name; absent for a search. */
  repository?: string
  /** "model.safetensors", "the list of files". */
  what: string
}

/** A failed attempt: the error that is thrown if no other attempt is made. */
export class Failure extends Error {
  constructor(
    readonly error: GraftError,
    /** Another attempt may succeed. */
    readonly again: boolean,
    /** How long the server asks to wait first, in milliseconds. */
    readonly waitMs?: number,
    /** The connection was refused or broke before there was an answer. */
    readonly unanswered = false,
  ) {
    super(error.message)
  }
}

/** An answer that is not 2xx. `withToken` only changes the advice. */
export function refusal(response: Response, subject: Subject, withToken: boolean): Failure {
  const { status } = response
  const { url, repository, what } = subject
  const code = response.headers.get('x-error-code')
  const of = repository === undefined ? '' : ` of ${repository}`
  const begin = `${url.host} answered ${status} for ${what}${of}`
  const details: Record<string, unknown> = { host: url.host, status, file: what }
  if (repository !== undefined) details['hub'] = repository

  if (status === 429 || status === 503) {
    const waitMs = askedWait(response)
    const wait = waitMs === undefined ? 'a few minutes' : `${Math.ceil(waitMs / 1000)} s`
    if (waitMs !== undefined) details['retryAfter'] = Math.ceil(waitMs / 1000)
    const why = status === 429 ? 'too many requests from here' : 'it is overloaded'
    return new Failure(network(`${begin}: ${why}. Wait ${wait}, then load it again.`, details), true, waitMs)
  }
  if (status >= 500 || status === 408)
    return new Failure(
      network(`${begin}: it has a fault at the moment. Try again in a few minutes.`, details),
      true,
    )
  if (status === 401 || status === 403) {
    const gated = code === 'GatedRepo' || (status === 403 && repository !== undefined)
    const advice = gated ? gatedAdvice(url, repository, withToken) : deniedAdvice(repository, withToken)
    return new Failure(network(`${begin}: ${advice}`, { ...details, gated }), false)
  }
  if (status === 404)
    return new Failure(network(`${begin}: ${missing(code)} Check the name.`, details), false)
  return new Failure(network(`${begin}. Check the name, or try again later.`, details), false)
}

/** No answer came: `cause` is fetch's TypeError, which does not say why. */
export function unreachable({ url, what }: Subject, cause: unknown): Failure {
  const error = network(
    `${url.host} cannot be reached for ${what}. Check the connection, then try again; what has arrived is kept.`,
    { host: url.host, file: what },
    cause,
  )
  // Where the browser knows that there is no network, waiting does not help.
  const offline = (globalThis as { navigator?: { onLine?: boolean } }).navigator?.onLine === false
  return new Failure(error, !offline, undefined, true)
}

/** The Hub answers, but sends downloads on to a host that cannot be reached from here. */
export function blocked({ url, what }: Subject, target: string | null, cause: unknown): GraftError {
  const where = target ?? 'a storage host (under hf.co), which the browser does not name'
  return network(
    `${url.host} answers, but sends the download of ${what} on to ${where}, and that host cannot be reached. A network filter, an extension or the site's policy may block it: allow *.hf.co, then load it again.`,
    { host: url.host, file: what, redirect: target },
    cause,
  )
}

/** The body ended or broke before its end. */
export function cut({ url, what }: Subject, at: number, cause?: unknown): Failure {
  const error = network(
    `The download of ${what} from ${url.host} was cut after ${at} bytes. Load it again: it goes on from there.`,
    { host: url.host, file: what, at },
    cause,
  )
  return new Failure(error, true)
}

/** A sign-in page of a hotel, a proxy's message: anything but what was asked. */
export function notIt({ url, what }: Subject, status: number): Failure {
  const error = network(
    `${url.host} answered ${status} for ${what}, but with a web page in its place. A sign-in page of the network or a proxy may stand in between: open ${url.host} in a tab, then load it again.`,
    { host: url.host, status, file: what },
  )
  return new Failure(error, false)
}

/** How long a server asks to wait: Retry-After in seconds or as a date, else the Hub's own RateLimit (`t=` seconds). */
function askedWait(response: Response): number | undefined {
  const after = response.headers.get('retry-after')?.trim()
  if (after !== undefined && /^\d+$/.test(after)) return Number(after) * 1000
  const date = after === undefined ? NaN : Date.parse(after)
  if (!Number.isNaN(date)) return Math.max(0, date - Date.now())
  const reset = /(?:^|[;,\s])t=(\d+)/.exec(response.headers.get('ratelimit') ?? '')
  return reset ? Number(reset[1]) * 1000 : undefined
}

function gatedAdvice(url: URL, repository: string | undefined, withToken: boolean): string {
  const page = `${url.origin}/${repository}`
  if (!withToken)
    return `this model is gated. Accept its licence at ${page}, then load it with an access token of your account.`
  return `this model is gated, and the account of this token may not read it. Accept its licence at ${page} with that account; a fine-grained token also needs the permission to read gated repositories.`
}

function deniedAdvice(repository: string | undefined, withToken: boolean): string {
  if (withToken)
    return 'the token is not valid, or may not read this. Make a new one that may read, and try again.'
  if (repository === undefined) return 'it wants an access token. Give one, and try again.'
  return 'there is no public model of this name. Check the name; a private one needs an access token.'
}

function missing(code: string | null): string {
  if (code === 'RevisionNotFound') return 'the model has no such revision.'
  if (code === 'EntryNotFound') return 'the model has no such file.'
  return 'it is not there.'
}

function network(message: string, details: Record<string, unknown>, cause?: unknown): GraftError {
  return new GraftError('E_NETWORK', message, details, cause === undefined ? undefined : { cause })
}
