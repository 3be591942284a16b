// Which tensors of a recorded step share a buffer. A kernel may not read and write parts of one buffer, so tensors do not
// lie side by side in a heap: each has a buffer of its own for as long as it is used, and buffers change hands. The largest
// tensors choose first, and each takes the smallest buffer that is free all the while (Pisarchyk & Lee 2020, arXiv
// 2001.03288: "greedy by size" over shared objects).

/** A tensor from the first to the last dispatch that is bound to it. */
export interface Lifetime {
  bytes: number
  first: number
  last: number
}

export interface Sharing {
  /** Bytes of the buffers, the largest first. */
  sizes: number[]
  /** The buffer of each tensor. */
  places: number[]
}

export function shareBuffers(tensors: readonly Lifetime[]): Sharing {
  const sizes: number[] = []
  const tenants: Lifetime[][] = []
  const places = new Array<number>(tensors.length).fill(0)
  const order = tensors.map((_, i) => i)
  order.sort((a, b) => tensors[b]!.bytes - tensors[a]!.bytes || tensors[a]!.first - tensors[b]!.first)
  for (const index of order) {
    const tensor = tensors[index]!
    let place = sizes.length - 1
    while (place >= 0 && tenants[place]!.some((other) => overlap(other, tensor))) place--
    if (place < 0) {
      place = sizes.push(tensor.bytes) - 1
      tenants.push([])
    }
    tenants[place]!.push(tensor)
    places[index] = place
  }
  return { sizes, places }
}

function overlap(a: Lifetime, b: Lifetime): boolean {
  return a.first <= b.last && b.first <= a.last
}

/** The most bytes that are in use at once: no sharing takes less. */
export function leastBytes(tensors: readonly Lifetime[]): number {
  const changes = tensors.flatMap(({ bytes, first, last }) => [
    { at: first, bytes },
    { at: last + 1, bytes: -bytes },
  ])
  changes.sort((a, b) => a.at - b.at || a.bytes - b.bytes)
  let held = 0
  return changes.reduce((most, { bytes }) => Math.max(most, (held += bytes)), 0)
}
