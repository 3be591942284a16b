// Builds dist/ only when something that goes into it has changed: a hash of all sources is kept beside the build.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, runNode } from './install.mjs'

/** Everything that the build reads. */
const sources = [
  ...['src', 'workers', 'public', 'tools', 'index.html', 'package-lock.json'],
  ...['vite.config.ts', 'svelte.config.js', 'tsconfig.base.json', 'tsconfig.json', 'tsconfig.worker.json'],
]
const stamp = join(root, '.cache', 'build.json')
const page = join(root, 'dist', 'index.html')

/** @param {string} path relative to the root @returns {string[]} the files at or below it, sorted */
function filesOf(path) {
  const full = join(root, path)
  if (!existsSync(full)) return []
  if (!statSync(full).isDirectory()) return [path]
  return readdirSync(full)
    .sort()
    .flatMap((name) => filesOf(`${path}/${name}`))
}

function hashSources() {
  const hash = createHash('sha256')
  for (const path of sources.flatMap(filesOf)) {
    const bytes = readFileSync(join(root, path))
    hash.update(`${path}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest('hex')
}

/** @param {string} hash */
function isCurrent(hash) {
  if (!existsSync(stamp) || !existsSync(page)) return false
  const last = JSON.parse(readFileSync(stamp, 'utf8'))
  return last.hash === hash && last.written === statSync(page).mtimeMs // a build by hand has another time
}

/**
 * Makes dist/ current.
 * @throws {Error} when the build fails
 */
export function ensureBuilt() {
  const hash = hashSources()
  if (isCurrent(hash)) return console.log('The build in dist/ is current.')
  console.log('Building the site (vite build) ...')
  if (runNode('vite/bin/vite.js', ['build']) !== 0) throw new Error('The build failed; see above.')
  mkdirSync(join(root, '.cache'), { recursive: true })
  writeFileSync(stamp, JSON.stringify({ hash, written: statSync(page).mtimeMs }))
}
