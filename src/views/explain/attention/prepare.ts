// What is drawn of attention maps, made from all of their cells in slices, and kept as long as the maps are.
import {
  thumbnails,
  withMeans,
  type Maps,
  type MeanMaps,
  type Thumbnails,
} from '../../../charts/attention.ts'
import { inSlices } from '../../../charts/slices.ts'

const means = new WeakMap<Float32Array, MeanMaps>()
const drawn = new WeakMap<Float32Array, Map<string, Thumbnails>>()

/** Maps with their means; undefined once `stopped` says so. */
export async function prepareMeans(maps: Maps, stopped: () => boolean): Promise<MeanMaps | undefined> {
  const known = means.get(maps.weights)
  if (known) return known
  const made = await inSlices(withMeans(maps), stopped)
  if (made) means.set(maps.weights, made)
  return made
}

/** Thumbnails of maps, without the tokens that are hidden; undefined once `stopped` says so. */
export async function prepareThumbnails(
  maps: MeanMaps,
  hidden: Uint8Array | null,
  stopped: () => boolean,
): Promise<Thumbnails | undefined> {
  const of = drawn.get(maps.weights) ?? new Map<string, Thumbnails>()
  drawn.set(maps.weights, of)
  const key = hidden?.join('') ?? ''
  const known = of.get(key)
  if (known) return known
  const made = await inSlices(thumbnails(maps, hidden), stopped)
  if (made) of.set(key, made)
  return made
}
