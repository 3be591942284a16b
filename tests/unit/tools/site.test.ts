// The headers file and the static server behind `npm start`.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { headersFor, parseHeaders, readHeaders } from '../../../tools/headers.mjs'
import { serve } from '../../../tools/serve.mjs'

describe('the headers file', () => {
  it('applies every matching rule', () => {
    const rules = parseHeaders('# site\n/*\n  A: one\n  B: two: three\n\n/assets/*.js\n  C: four\n')
    expect(headersFor(rules, '/')).toEqual({ A: 'one', B: 'two: three' })
    expect(headersFor(rules, '/assets/x.js')).toEqual({ A: 'one', B: 'two: three', C: 'four' })
    expect(headersFor(rules, '/assets/xjs')).not.toHaveProperty('C')
  })

  it('names the line that is neither path nor header', () => {
    expect(() => parseHeaders('/*\n  no header')).toThrow('line 2')
    expect(() => parseHeaders('  A: one')).toThrow('line 1')
  })

  it('isolates the page and forbids blob workers, eval and foreign scripts', () => {
    const headers = headersFor(readHeaders('public/_headers'), '/')
    expect(headers).toMatchObject({
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
    })
    const policy = headers['Content-Security-Policy']!.split('; ')
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval'")
    expect(policy).toContain("worker-src 'self'")
    expect(policy).toContain("require-trusted-types-for 'script'")
  })
})

describe('the static server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-site-'))
  let site: Awaited<ReturnType<typeof serve>>

  beforeAll(async () => {
    mkdirSync(join(folder, 'site/assets'), { recursive: true })
    const files = {
      'site/_headers': '/*\n  X-Test: yes\n/assets/*\n  Cache-Control: immutable\n',
      'site/index.html': '<!doctype html>',
      'site/assets/a.wasm': 'wasm',
      'site/two words%.txt': 'text',
      'site/.hidden': 'secret',
      'outside.txt': 'secret',
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    symlinkSync(join(folder, 'outside.txt'), join(folder, 'site/link.txt'))
    site = await serve({ root: join(folder, 'site'), port: 0 })
  })
  afterAll(async () => {
    await site.close()
    rmSync(folder, { recursive: true })
  })

  /** Sends the path as it is; fetch would resolve the dots. */
  function statusOf(path: string): Promise<number> {
    const { hostname, port } = new URL(site.url)
    return new Promise((resolve, reject) => {
      request({ hostname, port, path }, (response) => resolve(response.resume().statusCode ?? 0))
        .on('error', reject)
        .end()
    })
  }

  it('sends files with their type, the headers and a tag', async () => {
    const page = await fetch(site.url)
    expect(await page.text()).toBe('<!doctype html>')
    expect(page.headers.get('Content-Type')).toBe('text/html; charset=utf-8')
    expect(page.headers.get('X-Test')).toBe('yes')
    expect(page.headers.get('Cache-Control')).toBe('no-cache')
    const again = await fetch(site.url, { headers: { 'If-None-Match': page.headers.get('ETag')! } })
    expect(again.status).toBe(304)
    const asset = await fetch(`${site.url}assets/a.wasm`, { method: 'HEAD' })
    expect(asset.headers.get('Content-Type')).toBe('application/wasm')
    expect(asset.headers.get('Content-Length')).toBe('4')
    expect(asset.headers.get('Cache-Control')).toBe('immutable')
    expect(await statusOf('/two%20words%25.txt?query')).toBe(200)
  })

  it.each([
    ['/missing', 404],
    ['/assets', 404],
    ['/assets/', 404],
    ['/.hidden', 404],
    ['/_headers', 404],
    ['/link.txt', 404],
    ['/../outside.txt', 404],
    ['/..%2foutside.txt', 404],
    ['/%2e%2e/outside.txt', 404],
    ['/..%5coutside.txt', 404],
    ['//outside.txt', 404],
    ['/index.html%00.txt', 404],
    ['/%zz', 400],
  ])('refuses %s with %i', async (path, status) => {
    expect(await statusOf(path)).toBe(status)
  })

  it('answers GET and HEAD only, and says when the port is taken', async () => {
    expect((await fetch(site.url, { method: 'POST' })).status).toBe(405)
    const port = Number(new URL(site.url).port)
    await expect(serve({ root: join(folder, 'site'), port })).rejects.toThrow(`Port ${port} is already taken`)
  })
})
