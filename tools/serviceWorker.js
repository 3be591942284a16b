// Keeps the files of one build of Graft, so that the page opens without a network. tools/offline.mjs fills in the list.
const CACHE = `graft-${'__VERSION__'}`
const FILES = ['__FILES__']

addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)))
})

// Runs only when no tab uses the build before any more, so its files can go.
addEventListener('activate', (event) => {
  const old = (name) => name.startsWith('graft-') && name !== CACHE
  event.waitUntil(
    caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))),
  )
})

addEventListener('fetch', (event) => {
  const { request } = event
  if (request.method !== 'GET' || new URL(request.url).origin !== location.origin) return
  event.respondWith(request.mode === 'navigate' ? newest(request) : kept(request))
})

/** The page itself: the server's, where there is one, so that a new version is seen at once. */
async function newest(request) {
  try {
    return await fetch(request)
  } catch {
    return (await caches.match('./')) ?? Response.error()
  }
}

/** Everything else: names carry a hash of their content, so what is kept is right. */
async function kept(request) {
  const cache = await caches.open(CACHE)
  return (await cache.match(request)) ?? fetch(request)
}
