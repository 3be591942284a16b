// The page's side of bench/explain.mjs: a classifier on Graft-7M, texts of a given length, and one timed call.

/**
 * Trains a classifier for a few steps (once), and makes a text and a dataset of rows of `tokens` tokens each.
 * @param {import('playwright').Page} page
 */
export function prepare(page, tokens, csv) {
  return page.evaluate(
    async ([tokens, csv]) => {
      const { graft } = window
      if (!globalThis.explained) {
        const data = await graft.datasets.import(new File([csv], 'support.csv'))
        await graft.datasets.configure(data.id, data.suggestion)
        await graft.models.load({ builtin: 'graft-7m' })
        // As many epochs as a map of training rows needs.
        const training = { epochs: 3, batchSize: 16, maxLength: 512 }
        const run = await graft.runs.start({ dataset: data.id, model: 'graft-7m', training })
        await graft.runs.wait(run)
        const rows = await graft.datasets.rows(data.id, { offset: 0, limit: 200 })
        globalThis.explained = { run, words: rows.flatMap(({ cells }) => String(cells.text).split(/\s+/)) }
      }
      const { run, words } = globalThis.explained
      const count = async (text) => (await graft.tokenize('graft-7m', text)).ids.length
      /** Words from `start` on, and single letters for the last tokens. */
      const textFrom = async (start) => {
        const at = (n) => Array.from({ length: n }, (_, i) => words[(start + i) % words.length]).join(' ')
        let [low, high] = [1, tokens]
        while (low < high) {
          const middle = Math.ceil((low + high) / 2)
          if ((await count(at(middle))) <= tokens) low = middle
          else high = middle - 1
        }
        let text = at(low)
        while ((await count(text)) < tokens) text += ' a'
        return text
      }
      const texts = []
      for (let row = 0; row < 24; row++) texts.push(await textFrom(row * 137))
      const quoted = texts.map(
        (text, row) => `"${text.replaceAll('"', '""')}",${row % 2 ? 'refund_request' : 'delivery_status'}\n`,
      )
      const made = await graft.datasets.import(
        new File([`text,intent\n${quoted.join('')}`], `rows-${tokens}.csv`),
      )
      await graft.datasets.configure(made.id, {
        task: 'classify',
        columns: { text: 'text', label: 'intent' },
      })
      await graft.datasets.split(made.id, { train: 1, validation: 0, test: 0, seed: 1 })
      return { target: { run }, text: texts[0], dataset: made.id, tokens: await count(texts[0]) }
    },
    [tokens, csv],
  )
}

/** Seconds of one call; with `share` below 1 they are estimated from how far it came. @param {import('playwright').Page} page */
export function time(page, ready, method, request, limit) {
  return page.evaluate(
    async ([{ target, text, dataset, tokens }, method, request, limit]) => {
      const { dataset: ofRows, ofRun, scores, ...settings } = request
      const input = ofRun ? {} : ofRows ? { dataset } : { text }
      // Any scores cost the same.
      const given = scores ? { scores: Array.from({ length: tokens }, (_, t) => Math.sin(t)) } : {}
      const controller = new AbortController()
      const timer = setTimeout(() => controller.abort(), limit * 1000)
      let share = 0
      const start = performance.now()
      const seconds = () => (performance.now() - start) / 1000
      const onProgress = ({ done, total }) => {
        if (total) share = done / total
      }
      try {
        await window.graft.explain[method](
          target,
          { ...input, ...settings, ...given },
          { signal: controller.signal, onProgress },
        )
        return { seconds: seconds() }
      } catch (error) {
        if (error.code !== 'E_ABORTED') return { error: `${error.code}: ${error.message}`.slice(0, 120) }
        return share > 0 ? { seconds: seconds() / share, share } : { error: `more than ${limit} s` }
      } finally {
        clearTimeout(timer)
      }
    },
    [ready, method, request, limit],
  )
}
