// The worker side of the protocol over a real MessageChannel, as structured cloning sees it.
import { afterEach, expect, test } from 'vitest'
import { GraftError } from '../../src/protocol/errors.ts'
import type { FromWorker, ToWorker } from '../../src/protocol/rpc.ts'
import { serve, type Handlers, type Port } from '../../workers/serve.ts'

interface Calls {
  add(args: { a: number; b: number }): number
  slow(args: Record<string, never>): string
  fail(args: { kind: 'coded' | 'plain' | 'uncloneable' }): never
  uncloneable(args: Record<string, never>): unknown
  large(args: Record<string, never>): Float32Array
}
type Event = { type: 'tick'; n: number }

const kept = { large: new Float32Array(0) }
const handlers: Handlers<Calls> = {
  large(_args, { handOver }) {
    kept.large = Float32Array.of(1, 2, 3)
    handOver?.(kept.large.buffer)
    return kept.large
  },
  add({ a, b }, { progress }) {
    progress({ label: 'Adding', done: 1, total: 2, unit: 'items' })
    return a + b
  },
  slow: (_args, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  fail({ kind }) {
    if (kind === 'coded') throw new GraftError('E_LIMIT', 'Too many.', { limit: 3 })
    if (kind === 'uncloneable') throw new GraftError('E_LIMIT', 'Too many.', { limit: () => 3 })
    throw new TypeError('oops')
  },
  uncloneable: () => () => 1,
}

const open: MessagePort[] = []
afterEach(() => open.splice(0).forEach((port) => port.close()))

function connect() {
  const { port1, port2 } = new MessageChannel()
  open.push(port1, port2)
  const server = serve<Calls, Event>(handlers, port2 as unknown as Port)
  port2.start()
  const received: FromWorker<Event>[] = []
  let wake: () => void = () => undefined
  port1.onmessage = ({ data }) => {
    received.push(data as FromWorker<Event>)
    wake()
  }
  const until = async (count: number): Promise<FromWorker<Event>[]> => {
    while (received.length < count) await new Promise<void>((resolve) => (wake = resolve))
    return received
  }
  return { server, until, send: (message: ToWorker) => port1.postMessage(message) }
}

test('answers with progress, then the result', async () => {
  const { send, until } = connect()
  send({ type: 'call', id: 7, method: 'add', args: { a: 2, b: 3 } })
  expect(await until(2)).toEqual([
    { type: 'progress', id: 7, progress: { label: 'Adding', done: 1, total: 2, unit: 'items' } },
    { type: 'result', id: 7, value: 5 },
  ])
})

test('errors keep code, message and details; foreign ones become E_INTERNAL', async () => {
  const { send, until } = connect()
  send({ type: 'call', id: 1, method: 'fail', args: { kind: 'coded' } })
  send({ type: 'call', id: 2, method: 'fail', args: { kind: 'plain' } })
  send({ type: 'call', id: 3, method: 'fail', args: { kind: 'uncloneable' } })
  expect(await until(3)).toMatchObject([
    { type: 'error', id: 1, error: { code: 'E_LIMIT', message: 'Too many.', details: { limit: 3 } } },
    { type: 'error', id: 2, error: { code: 'E_INTERNAL', message: 'oops' } },
    { type: 'error', id: 3, error: { code: 'E_LIMIT', message: 'Too many.', details: {} } },
  ])
})

test('an unknown method, an inherited one and an uncloneable result are errors', async () => {
  const { send, until } = connect()
  send({ type: 'call', id: 1, method: 'nothing', args: {} })
  send({ type: 'call', id: 2, method: 'constructor', args: {} })
  send({ type: 'call', id: 3, method: 'uncloneable', args: {} })
  const answers = await until(3)
  expect(answers.map((answer) => answer.type)).toEqual(['error', 'error', 'error'])
})

test('abort reaches the call; pings are answered meanwhile; events need no call', async () => {
  const { send, until, server } = connect()
  send({ type: 'call', id: 1, method: 'slow', args: {} })
  send({ type: 'ping', id: 9 })
  expect(await until(1)).toEqual([{ type: 'pong', id: 9 }])
  server.emit({ type: 'tick', n: 4 })
  send({ type: 'abort', id: 1 })
  send({ type: 'abort', id: 99 })
  expect((await until(3)).slice(1)).toMatchObject([
    { type: 'event', event: { type: 'tick', n: 4 } },
    { type: 'error', id: 1, error: { code: 'E_ABORTED' } },
  ])
})

test('a buffer that is handed over is moved, not copied', async () => {
  const { send, until } = connect()
  send({ type: 'call', id: 1, method: 'large', args: {} })
  expect(await until(1)).toEqual([{ type: 'result', id: 1, value: Float32Array.of(1, 2, 3) }])
  expect(kept.large).toHaveLength(0)
})
