// A Vite plugin: writes dist/sw.js, the service worker that lets Graft open again without a network. The list of files
// is known only once the build is written. Model weights are not in it: they are kept in IndexedDB when first loaded.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

const TEMPLATE = new URL('./serviceWorker.js', import.meta.url)
/** Not part of what the page needs to open: headers for hosts, weights, the worker itself. */
const LEFT_OUT = /^(_headers|sw\.js|models\/[^/]+\/.*)$/

/** @returns {import('vite').Plugin} */
export function offline() {
  let folder = 'dist'
  return {
    name: 'graft-offline',
    apply: 'build',
    configResolved(config) {
      folder = config.build.outDir
    },
    closeBundle() {
      const files = readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) =>
          relative(folder, join(entry.parentPath ?? entry.path, entry.name))
            .split(sep)
            .join('/'),
        )
        .filter((file) => !LEFT_OUT.test(file))
        .sort()
      const hash = createHash('sha256')
      for (const file of files) hash.update(file).update(readFileSync(join(folder, file)))
      const list = ['./', ...files.filter((file) => file !== 'index.html')]
      const source = readFileSync(TEMPLATE, 'utf8')
        .replace("'__VERSION__'", JSON.stringify(hash.digest('hex').slice(0, 16)))
        .replace("['__FILES__']", JSON.stringify(list))
      writeFileSync(join(folder, 'sw.js'), source)
    },
  }
}
