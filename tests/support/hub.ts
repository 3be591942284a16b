// A server that answers like the Hugging Face Hub, in Node: commits, file lists in pages, files that are redirected to a
// second origin (as the Hub does with large ones), ranges, gated models. And every fault that the Hub, a network or an
// enemy may show, each for as many answers as a test wants. Over https it can stand in for huggingface.co in Chromium.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { generate } from 'selfsigned'

export interface HubModelOnServer {
  files: Map<string, Uint8Array>
  gated?: boolean
  licence?: string
  /** Files from here on are kept as LFS: redirected, and with a SHA-256. */
  lfsBytes?: number
}

type Does =
  | { status: number; headers?: Record<string, string> }
  /** The connection breaks after so many bytes of the body. */
  | { cutAfter: number }
  /** The body ends too early, but as if it were whole. */
  | { shortBy: number }
  /** More than there should be. */
  | { longerBy: number }
  | { html: true }
  /** Bytes of the right length that are not the file's. */
  | { corrupt: true }
  | { redirect: string }
  /** Nothing comes, and nothing ends. */
  | { stall: true }
  /** The whole file with status 200, whatever range was asked. */
  | { ignoreRange: true }
  /** The answer as it is. */
  | { nothing: true }

/** What to do with an answer instead of sending it; applied to paths that match, `times` times (default: always). */
export interface Fault {
  path: RegExp
  times?: number
  /** Only for some of the requests for this path. */
  when?: (request: RequestSeen) => boolean
  does: Does
}

export interface RequestSeen {
  /** `hub` or `storage`. */
  host: string
  path: string
  range: string | undefined
  authorization: string | undefined
}

export interface TestHub {
  endpoint: string
  storage: string
  /** Ports of both, for Chromium's --host-resolver-rules. */
  ports: { hub: number; storage: number }
  models: Map<string, HubModelOnServer>
  /** Answers of /api/models?search=… */
  searchResults: unknown
  faults: Fault[]
  seen: RequestSeen[]
  /** The token that opens gated models. */
  token: string
  /** How many entries a page of a file list has. */
  pageSize: number
  /** The commit of a model as it is now. */
  sha(id: string): string
  close(): Promise<void>
}

interface Site {
  name: 'hub' | 'storage'
  server: Server
}

/**
 * Starts both origins. `https` makes a certificate for one run; `storageHost` is how the hub names the
 * other origin in its redirects (for Chromium: a name that it maps to this machine).
 */
export async function startHub(
  options: { https?: boolean; hubOrigin?: string; storageOrigin?: string } = {},
): Promise<TestHub> {
  const certificate = options.https ? await certificateOf(['huggingface.co', '*.hf.co', 'localhost']) : null
  const make = (handle: (request: IncomingMessage, response: ServerResponse) => void): Server =>
    certificate ? createTlsServer(certificate, handle) : createServer(handle)
  const scheme = options.https ? 'https' : 'http'

  const hub: Site = { name: 'hub', server: make((request, response) => answer(hub, request, response)) }
  const storage: Site = {
    name: 'storage',
    server: make((request, response) => answer(storage, request, response)),
  }
  const [hubPort, storagePort] = await Promise.all([listen(hub.server), listen(storage.server)])
  const state: TestHub = {
    endpoint: options.hubOrigin ?? `${scheme}://localhost:${hubPort}`,
    storage: options.storageOrigin ?? `${scheme}://127.0.0.1:${storagePort}`,
    ports: { hub: hubPort, storage: storagePort },
    models: new Map(),
    searchResults: [],
    faults: [],
    seen: [],
    token: 'hf_test_0123456789abcdef',
    pageSize: 1000,
    sha,
    async close() {
      for (const { server } of [hub, storage]) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
    },
  }
  return state

  function sha(id: string): string {
    const model = state.models.get(id)!
    const hash = createHash('sha1')
    for (const [name, bytes] of model.files) hash.update(name).update(bytes)
    return hash.digest('hex')
  }

  function answer(site: Site, request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, state.endpoint)
    const { authorization, range, origin } = request.headers
    allowOrigin(response, origin)
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end()
      return
    }
    const seen: RequestSeen = { host: site.name, path: url.pathname + url.search, range, authorization }
    state.seen.push(seen)
    const fault = state.faults.find(
      ({ path, times = Infinity, when }) => times > 0 && path.test(url.pathname) && (when?.(seen) ?? true),
    )
    if (fault?.times !== undefined) fault.times--
    const does: Does = fault?.does ?? { nothing: true }
    if ('stall' in does) return
    if ('status' in does) {
      response.writeHead(does.status, does.headers).end('{"error":"fault"}')
      return
    }
    if ('html' in does) {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<!doctype html>Sign in')
      return
    }
    if ('redirect' in does) {
      response.writeHead(302, { location: does.redirect }).end()
      return
    }
    const route = site.name === 'hub' ? hubRoute(url, authorization) : storageRoute(url)
    if ('status' in route) {
      response.writeHead(route.status, { ...route.headers, 'content-type': 'application/json' })
      response.end(JSON.stringify(route.body ?? null))
      return
    }
    send(response, route.bytes, 'ignoreRange' in does ? undefined : range, does, route.headers)
  }

  type Route =
    | { status: number; headers?: Record<string, string>; body?: unknown }
    | { bytes: Uint8Array; headers: Record<string, string> }

  function hubRoute(url: URL, authorization: string | undefined): Route {
    if (url.pathname === '/api/models') return { status: 200, body: state.searchResults }
    const [, api, id, revision] =
      /^\/(api\/models\/)?([\w.-]+(?:\/[\w.-]+)?)\/(?:revision|tree|resolve)\/([^/?]+)/.exec(url.pathname) ??
      []
    const model = id === undefined ? undefined : state.models.get(id)
    // The Hub does not tell strangers which names exist.
    if (!model) return { status: 401, headers: { 'x-error-code': 'RepoNotFound' } }
    const commit = sha(id!)
    if (revision !== 'main' && revision !== commit)
      return { status: 404, headers: { 'x-error-code': 'RevisionNotFound' } }
    const files = [...model.files]
    if (api && url.pathname.includes('/revision/'))
      return {
        status: 200,
        body: {
          id,
          sha: commit,
          gated: model.gated ? 'manual' : false,
          cardData: { license: model.licence },
        },
      }
    if (api) {
      const from = Number(url.searchParams.get('cursor') ?? 0)
      const next = from + state.pageSize
      url.searchParams.set('cursor', String(next))
      const link = `<${state.endpoint}${url.pathname}${url.search}>; rel="next"`
      return {
        status: 200,
        ...(next < files.length && { headers: { link } }),
        body: files.slice(from, next).map(([path, bytes]) => treeEntry(path, bytes, isLarge(model, bytes))),
      }
    }
    const name = decodeURIComponent(url.pathname.split('/').at(-1)!)
    const bytes = model.files.get(name)
    if (!bytes) return { status: 404, headers: { 'x-error-code': 'EntryNotFound' } }
    if (model.gated && authorization !== `Bearer ${state.token}`)
      return { status: authorization ? 403 : 401, headers: { 'x-error-code': 'GatedRepo' } }
    if (!isLarge(model, bytes)) return { bytes, headers: { etag: `"${gitName(bytes)}"` } }
    const headers = {
      location: `${state.storage}/${id}/${commit}/${name}?Signature=1`,
      'x-linked-size': String(bytes.length),
      'x-linked-etag': `"${sha256(bytes)}"`,
    }
    return { status: 302, headers }
  }

  function storageRoute(url: URL): Route {
    const parts = url.pathname.slice(1).split('/')
    const bytes = state.models.get(parts.slice(0, -2).join('/'))?.files.get(parts.at(-1)!)
    if (!bytes || !url.searchParams.has('Signature')) return { status: 403 }
    return { bytes, headers: { etag: `"${sha256(bytes)}"` } }
  }
}

/** What Chromium needs so that the app's own addresses lead to this server. */
export function chromiumFlags({ ports }: TestHub): string[] {
  return [
    `--host-resolver-rules=MAP huggingface.co:443 127.0.0.1:${ports.hub},MAP *.hf.co:443 127.0.0.1:${ports.storage}`,
    '--ignore-certificate-errors',
  ]
}

function send(
  response: ServerResponse,
  whole: Uint8Array,
  range: string | undefined,
  fault: Does,
  headers: Record<string, string>,
): void {
  const does: Partial<Record<'cutAfter' | 'shortBy' | 'longerBy', number> & { corrupt: true }> =
    fault as object
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
  const begin = Number(first ?? 0)
  const end = last ? Math.min(whole.length, Number(last) + 1) : whole.length
  if (first !== undefined && begin >= whole.length) {
    response.writeHead(416, { 'content-range': `bytes */${whole.length}` }).end()
    return
  }
  let body = whole.slice(begin, end)
  if (does.corrupt) body[body.length >> 1]! ^= 1
  if (does.longerBy) body = Buffer.concat([body, Buffer.alloc(does.longerBy)])
  if (does.shortBy) body = body.subarray(0, Math.max(0, body.length - does.shortBy))
  const partial = first !== undefined && {
    'content-range': `bytes ${begin}-${end - 1}/${whole.length}`,
  }
  response.writeHead(first === undefined ? 200 : 206, {
    ...headers,
    ...partial,
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    'content-length': body.length,
  })
  if (does.cutAfter === undefined) {
    response.end(body)
    return
  }
  // The first part must be on its way before the connection breaks.
  response.write(body.subarray(0, does.cutAfter), () => setTimeout(() => response.destroy(), 20))
}

function allowOrigin(response: ServerResponse, origin: string | undefined): void {
  response.setHeader('access-control-allow-origin', origin ?? '*')
  response.setHeader('access-control-allow-headers', 'authorization, range, accept')
  response.setHeader(
    'access-control-expose-headers',
    'X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash',
  )
  response.setHeader('vary', 'Origin')
}

function treeEntry(path: string, bytes: Uint8Array, large: boolean): unknown {
  const entry = { type: 'file', oid: gitName(bytes), size: bytes.length, path }
  return large
    ? { ...entry, oid: '0'.repeat(40), lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } }
    : entry
}

const isLarge = ({ lfsBytes = 50_000 }: HubModelOnServer, { length }: Uint8Array) => length >= lfsBytes

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** `git hash-object`. */
function gitName(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** A certificate for one run. */
async function certificateOf(names: string[]): Promise<{ key: string; cert: string }> {
  const made = await generate([{ name: 'commonName', value: names[0]! }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: names.map((value) => ({ type: 2 as const, value })) }],
  })
  return { key: made.private, cert: made.cert }
}
