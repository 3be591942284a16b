// Finds the Chromium that the tests drive, and installs Debian's where there is none.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run } from './install.mjs'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter).filter(Boolean)]

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * @returns {string | undefined} path of an installed Chromium or Chrome; CHROMIUM_PATH goes first
 * @throws {Error} when CHROMIUM_PATH names no program
 */
export function findChromium() {
  const chosen = process.env.CHROMIUM_PATH
  if (chosen && !isExecutable(chosen)) throw new Error(`CHROMIUM_PATH: there is no program at ${chosen}.`)
  return chosen || names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

/**
 * @returns {string} path of a Chromium, installed with apt-get where none was found
 * @throws {Error} with what to do by hand
 */
export function ensureChromium() {
  const found = findChromium()
  if (found) return found
  const byHand = 'Install Chromium (Debian: apt-get install chromium) or set CHROMIUM_PATH to one.'
  const hasApt = spawnSync('apt-get', ['--version']).status === 0
  if (!hasApt) throw new Error(`No Chromium was found. ${byHand}`)
  console.log('No Chromium was found: installing the one of Debian ...')
  const isRoot = process.getuid?.() === 0
  // Without a terminal sudo must not wait for a password.
  const sudo = isRoot ? [] : process.stdin.isTTY ? ['sudo'] : ['sudo', '-n']
  /** @type {(...args: string[]) => boolean} */
  const apt = (...args) => {
    const [command, ...rest] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args]
    return run(command, rest) === 0
  }
  const installed = apt('update') && apt('install', '-y', '--no-install-recommends', 'chromium')
  const path = installed && findChromium()
  if (!path) throw new Error(`Chromium could not be installed. ${byHand}`)
  return path
}
