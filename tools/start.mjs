// npm start: from a fresh clone to the production build in the browser. Installs and builds only where needed.
import { join } from 'node:path'
import { ensureBuilt } from './build.mjs'
import { ensureInstalled, root } from './install.mjs'
import { portFromEnvironment, serve } from './serve.mjs'

try {
  const port = portFromEnvironment()
  // A port that is taken should be reported now, not after the build.
  const probe = await serve({ root: join(root, 'public'), port })
  await probe.close()
  ensureInstalled()
  ensureBuilt()
  const { url, close } = await serve({ root: join(root, 'dist'), port })
  console.log(`\nGraft is at ${url}   (Ctrl+C stops it)`)
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => void close().then(() => process.exit(0)))
} catch (error) {
  console.error(`\n${error.message}`)
  process.exit(1)
}
