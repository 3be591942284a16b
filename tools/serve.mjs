// A small static server for the production build. It exists because the security headers of public/_headers must be
// there on a developer's machine too (without them WebAssembly gets no threads), and needs nothing but Node.
import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, resolve, sep } from 'node:path'
import { pipeline } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { headersFor, readHeaders } from './headers.mjs'

/** Port of `npm start` unless PORT says otherwise. */
export const DEFAULT_PORT = 4173

const types = {
  '.bin': 'application/octet-stream',
  '.css': 'text/css; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.jsonl': 'application/x-ndjson; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.safetensors': 'application/octet-stream',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
}

/**
 * Finds the file of a request, or null where there is none or it lies outside `root`. Names that start with a dot
 * or an underscore (`_headers`) are not part of the site.
 * @param {string} root real path of the folder to serve
 * @param {string} pathname decoded path, starting with `/`
 */
async function find(root, pathname) {
  const parts = pathname.split('/')
  if (pathname.includes('\0') || pathname.includes('\\') || parts.some((part) => /^\./.test(part)))
    return null
  if (parts[1]?.startsWith('_')) return null
  const wanted = resolve(root, `.${pathname}`, pathname.endsWith('/') ? 'index.html' : '')
  try {
    const path = await realpath(wanted) // a link must not lead out of the folder either
    const info = await stat(path)
    return path.startsWith(root + sep) && info.isFile() ? { path, info } : null
  } catch {
    return null
  }
}

/**
 * Serves a folder at http://localhost:port.
 * @param {{ root: string, port?: number, host?: string, headersFile?: string }} options `headersFile` defaults to
 *   `_headers` in `root`; port 0 takes any free port
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 * @throws {Error} with a plain sentence when the port is taken or the folder is missing
 */
export async function serve({ root, port = DEFAULT_PORT, host = 'localhost', headersFile }) {
  const folder = await realpath(root)
  const rules = readHeaders(headersFile ?? join(folder, '_headers'))

  const server = createServer(async (request, response) => {
    /** @type {(status: number, text: string, headers?: Record<string, string>) => void} */
    const refuse = (status, text, headers = {}) => {
      const common = { ...headersFor(rules, '/'), 'Content-Type': types['.txt'], 'Cache-Control': 'no-store' }
      response.writeHead(status, { ...common, ...headers, 'Content-Length': Buffer.byteLength(text) })
      response.end(request.method === 'HEAD' ? undefined : text)
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return refuse(405, 'Only GET and HEAD are answered here.\n', { Allow: 'GET, HEAD' })
    }
    let pathname
    try {
      pathname = decodeURIComponent((request.url ?? '/').replace(/[?#].*$/s, ''))
    } catch {
      return refuse(400, 'The address is not valid.\n')
    }
    const file = pathname.startsWith('/') ? await find(folder, pathname) : null
    if (!file) return refuse(404, 'There is nothing at this address.\n')

    const etag = `W/"${file.info.size.toString(36)}-${Math.floor(file.info.mtimeMs).toString(36)}"`
    const headers = {
      'Cache-Control': 'no-cache', // keep it, but ask whether it is still current
      ...headersFor(rules, pathname),
      'Content-Type': types[extname(file.path).toLowerCase()] ?? 'application/octet-stream',
      ETag: etag,
    }
    if (request.headers['if-none-match'] === etag) return response.writeHead(304, headers).end()
    response.writeHead(200, { ...headers, 'Content-Length': file.info.size })
    if (request.method === 'HEAD') return response.end()
    pipeline(createReadStream(file.path), response, (error) => error && response.destroy())
  })

  await new Promise((done, fail) => {
    server.once('error', fail)
    server.listen(port, host, () => done(undefined))
  }).catch((error) => {
    if (error.code !== 'EADDRINUSE') throw error
    const other = port + 1
    throw new Error(
      `Port ${port} is already taken. Stop the program that uses it, or: PORT=${other} npm start`,
    )
  })
  const address = server.address()
  const actual = typeof address === 'object' && address ? address.port : port
  return {
    url: `http://${host}:${actual}/`,
    close: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

/**
 * The port asked for in the environment.
 * @throws {Error} when PORT is no port number
 */
export function portFromEnvironment() {
  const port = Number(process.env.PORT || DEFAULT_PORT)
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new Error(`PORT must be a whole number from 0 to 65535, not "${process.env.PORT}".`)
  }
  return port
}

// node tools/serve.mjs [folder]
if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const { url } = await serve({ root: process.argv[2] ?? 'dist', port: portFromEnvironment() })
    console.log(`Serving at ${url}`)
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
}
