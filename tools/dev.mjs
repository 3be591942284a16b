// npm run dev: the development server with hot reload, after installing what is missing.
import { ensureInstalled, runNode } from './install.mjs'

try {
  ensureInstalled()
} catch (error) {
  console.error(error.message)
  process.exit(1)
}
process.exit(runNode('vite/bin/vite.js', process.argv.slice(2)))
