// The Hugging Face Hub over HTTP: commits, file lists, files by ranges. What it hands out is checked for being what was
// asked; an attempt that fails in passing is made again, from the byte that was reached.
// https://huggingface.co/docs/hub/api. The Hub redirects files to other hosts; browsers then drop the Authorization
// header, and `Range: bytes=a-b` needs no preflight, so both work across origins (https://fetch.spec.whatwg.org).
import { GraftError, throwIfAborted } from '../../../src/protocol/errors.ts'
import { pieces } from '../../../src/store/chunks.ts'
import { checkRange, fileOf, headerValue, parse, repositoryPath, tooLong, type HubFile } from './answers.ts'
import { delay, Failures, Stall, TRIES, type Wait } from './attempts.ts'
import { blocked, cut, Failure, notIt, refusal, unreachable, type Subject } from './failure.ts'

const HUB = 'https://huggingface.co'

/** Bytes of one request: signed addresses expire, and what lives for an hour is cut by some proxy. */
const RANGE_BYTES = 64 * 1024 * 1024
/** A connection that sends nothing for so long is taken for dead. */
const STALL_MS = 60_000
/** Pages of a file list (1,000 entries each): more belong to no model. */
const MAX_PAGES = 20

export interface HubOptions {
  /** Where the Hub is; tests have their own. */
  endpoint?: string
  fetch?: typeof fetch
  /** Waits between attempts; rejects on abort. */
  wait?: Wait
  stallMs?: number
  rangeBytes?: number
}

export interface HubCall {
  /** Sent to the endpoint with this call, and kept nowhere. */
  token?: string | undefined
  signal?: AbortSignal | undefined
}

export interface HubCommit {
  sha: string
  gated: boolean
  licence: string | null
}

export class HubClient {
  readonly endpoint: string
  readonly #fetch: typeof fetch
  readonly #wait: Wait
  readonly #stallMs: number
  readonly #rangeBytes: number

  constructor(options: HubOptions = {}) {
    this.endpoint = (options.endpoint ?? HUB).replace(/\/$/, '')
    this.#fetch = options.fetch ?? ((...request) => fetch(...request))
    this.#wait = options.wait ?? delay
    this.#stallMs = options.stallMs ?? STALL_MS
    this.#rangeBytes = options.rangeBytes ?? RANGE_BYTES
  }

  /** The commit that a branch or tag stands for now. Throws E_ARGUMENT, E_NETWORK, E_ABORTED, as all calls do. */
  async commit(repository: string, revision: string, call: HubCall = {}): Promise<HubCommit> {
    const url = this.#url(`api/models/${repositoryPath(repository)}/revision/${encodeURIComponent(revision)}`)
    const what = `revision "${revision}"`
    const { json } = await this.#json({ url, repository, what }, call)
    const { sha, gated, cardData } = Object(json) as Record<string, unknown>
    if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha))
      throw notIt({ url, repository, what }, 200).error
    const licence: unknown = Object(cardData).license
    return {
      sha,
      gated: gated !== undefined && gated !== false,
      licence: typeof licence === 'string' ? licence : null,
    }
  }

  /** The files in the root folder of a commit. */
  async files(repository: string, sha: string, call: HubCall = {}): Promise<HubFile[]> {
    const files: HubFile[] = []
    let next: URL | null = this.#url(`api/models/${repositoryPath(repository)}/tree/${sha}?recursive=false`)
    for (let page = 0; next && page < MAX_PAGES; page++) {
      const subject: Subject = { url: next, repository, what: 'the list of files' }
      const { json, response } = await this.#json(subject, call)
      if (!Array.isArray(json)) throw notIt(subject, 200).error
      for (const entry of json) {
        const file = fileOf(entry)
        if (file) files.push(file)
      }
      next = this.#nextPage(response, subject)
    }
    return files
  }

  /** Any JSON of the Hub's API, such as a search: path and query below the endpoint. */
  async api(path: string, what: string, call: HubCall = {}): Promise<unknown> {
    return (await this.#json({ url: this.#url(path), what }, call)).json
  }

  /**
   * Bytes `begin` to `end` of a file, by ranges; what is cut goes on from the byte reached. Throws E_NETWORK when
   * nothing more comes, E_HASH where more comes than was announced.
   */
  async *open(
    repository: string,
    sha: string,
    file: HubFile,
    begin = 0,
    end = file.bytes,
    call: HubCall = {},
  ): AsyncGenerator<Uint8Array> {
    const path = file.path.split('/').map(encodeURIComponent).join('/')
    const url = this.#url(`${repositoryPath(repository)}/resolve/${sha}/${path}`)
    const subject: Subject = { url, repository, what: file.path }
    const failures = new Failures(TRIES.download, this.#wait, call.signal)
    for (let at = begin; at < end;) {
      const to = Math.min(end, at + this.#rangeBytes)
      try {
        for await (const piece of this.#range(subject, at, to, file.bytes, call)) {
          at += piece.length
          yield piece
        }
      } catch (thrown) {
        throwIfAborted(call.signal)
        if (!(thrown instanceof Failure)) throw thrown
        // Two in a row without an answer: is it the Hub, or the host that it sends us to?
        if (thrown.unanswered && failures.count === 1) await this.#throwIfBlocked(subject, call, thrown)
        await failures.add(thrown, at)
      }
    }
  }

  /** The same in memory. */
  async read(
    repository: string,
    sha: string,
    file: HubFile,
    begin = 0,
    end = file.bytes,
    call: HubCall = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const whole = new Uint8Array(end - begin)
    let at = 0
    for await (const piece of this.open(repository, sha, file, begin, end, call)) {
      whole.set(piece, at)
      at += piece.length
    }
    return whole
  }

  async *#range(
    subject: Subject,
    begin: number,
    end: number,
    total: number,
    call: HubCall,
  ): AsyncGenerator<Uint8Array> {
    const whole = begin === 0 && end === total
    const stall = new Stall(this.#stallMs, call.signal)
    let at = begin
    try {
      const response = await this.#answer(subject, call, stall.signal, {
        ...(!whole && { headers: { range: `bytes=${begin}-${end - 1}` } }),
        // It is kept in chunks: the browser's own cache need not keep it too.
        cache: 'no-store',
      })
      if (/^text\/html/i.test(response.headers.get('content-type') ?? '')) {
        await response.body?.cancel()
        throw notIt(subject, response.status)
      }
      checkRange(response, begin, total, subject)
      // Who ignores the range sends everything from the beginning.
      let skip = response.status === 206 ? 0 : begin
      const stop = response.status === 206 || whole ? Infinity : end
      for await (const arrived of response.body ? pieces(response.body) : []) {
        stall.again()
        let piece = arrived.subarray(Math.min(skip, arrived.length))
        skip -= arrived.length - piece.length
        piece = piece.subarray(0, Math.min(piece.length, stop - at))
        if (at + piece.length > end) throw tooLong(subject, total)
        if (piece.length > 0) yield piece
        at += piece.length
        if (at >= stop) break
      }
    } catch (thrown) {
      throwIfAborted(call.signal)
      if (thrown instanceof Failure || thrown instanceof GraftError) throw thrown
      throw cut(subject, at, thrown)
    } finally {
      stall.end()
    }
    if (at < end) throw cut(subject, at)
  }

  /** An answer from 200 to 299. */
  async #answer(subject: Subject, call: HubCall, signal: AbortSignal, init: RequestInit): Promise<Response> {
    const request = this.#init(call, signal, init)
    let response: Response
    try {
      response = await this.#fetch(subject.url, request)
    } catch (cause) {
      throwIfAborted(call.signal)
      throw unreachable(subject, cause)
    }
    if (response.ok) return response
    await response.body?.cancel().catch(() => undefined)
    throw refusal(response, subject, call.token !== undefined)
  }

  async #json(subject: Subject, call: HubCall): Promise<{ json: unknown; response: Response }> {
    const failures = new Failures(TRIES.question, this.#wait, call.signal)
    for (;;) {
      const stall = new Stall(this.#stallMs, call.signal)
      try {
        const response = await this.#answer(subject, call, stall.signal, {
          headers: { accept: 'application/json' },
        })
        const text = await response.text().catch((cause: unknown) => {
          throw cut(subject, 0, cause)
        })
        return { json: parse(text, subject, response.status), response }
      } catch (thrown) {
        throwIfAborted(call.signal)
        if (!(thrown instanceof Failure)) throw thrown
        await failures.add(thrown, 0)
      } finally {
        stall.end()
      }
    }
  }

  #init(call: HubCall, signal: AbortSignal, init: RequestInit): RequestInit {
    const headers = new Headers(init.headers)
    if (call.token !== undefined) headers.set('authorization', `Bearer ${headerValue(call.token)}`)
    return { ...init, headers, signal, credentials: 'omit' }
  }

  /** Throws where the Hub itself answers with a redirect: then it is its target that does not. */
  async #throwIfBlocked(subject: Subject, call: HubCall, failure: Failure): Promise<void> {
    const stall = new Stall(this.#stallMs, call.signal)
    try {
      const init = this.#init(call, stall.signal, { redirect: 'manual', cache: 'no-store' })
      const response = await this.#fetch(subject.url, init)
      await response.body?.cancel()
      const redirected =
        response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)
      if (!redirected) return
      const location = response.headers.get('location')
      throw blocked(subject, location && new URL(location, subject.url).host, failure.error.cause)
    } catch (thrown) {
      if (thrown instanceof GraftError) throw thrown
      // Not even the Hub answers.
    } finally {
      stall.end()
    }
  }

  #url(path: string): URL {
    return new URL(`${this.endpoint}/${path}`)
  }

  /** The Link header's next page; one on another host would be given the token. */
  #nextPage(response: Response, subject: Subject): URL | null {
    const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(response.headers.get('link') ?? '')
    if (!link) return null
    const next = new URL(link[1]!, subject.url)
    if (next.origin !== subject.url.origin) throw notIt(subject, response.status).error
    return next
  }
}
