// A promise with its resolvers outside (Promise.withResolvers, which Node 20 has not).

export interface Deferred<T> {
  promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((settle, refuse) => {
    resolve = settle
    reject = refuse
  })
  // Nobody has to wait for it.
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}
