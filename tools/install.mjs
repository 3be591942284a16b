// Brings node_modules to the state of package-lock.json. Uses only what comes with Node, because it runs before
// anything is installed.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The oldest Node that the build tools accept. */
const OLDEST_NODE = [20, 19]

/** Root of the repository. */
export const root = join(import.meta.dirname, '..')

/**
 * Runs a program in the repository with its output shown.
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} [env] added to the environment
 * @returns {number} exit status, 1 where the program could not be started or was killed
 */
export function run(command, args, env = {}) {
  const options = { cwd: root, stdio: /** @type {const} */ ('inherit'), env: { ...process.env, ...env } }
  const result = spawnSync(command, args, {
    ...options,
    shell: process.platform === 'win32' && command === 'npm',
  })
  if (result.error) console.error(`${command}: ${result.error.message}`)
  return result.status ?? 1
}

/**
 * Runs a program of an installed package with this Node.
 * @param {string} script path below node_modules
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
export function runNode(script, args, env) {
  return run(process.execPath, [join(root, 'node_modules', script), ...args], env)
}

/** @returns {boolean} whether every package of the lock file is installed in the locked version */
export function isInstalled() {
  const written = join(root, 'node_modules', '.package-lock.json') // npm's own record of what it installed
  if (!existsSync(written)) return false
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const found = JSON.parse(readFileSync(written, 'utf8')).packages
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true
    if (!found[path]) return entry.optional === true // built for another system
    return found[path].version === entry.version && found[path].integrity === entry.integrity
  })
}

/**
 * Installs the locked packages where something is missing. Packages' install scripts do not run: none is needed.
 * @throws {Error} with a plain sentence when Node is too old or npm fails
 */
export function ensureInstalled() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
    throw new Error(`Node ${OLDEST_NODE.join('.')} or newer is needed; this is ${process.versions.node}.`)
  }
  if (isInstalled()) return
  console.log('Installing the locked packages (npm ci) ...')
  const status = run('npm', ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'])
  if (status !== 0) throw new Error('npm ci failed; see above. It needs the network and a writable folder.')
}
