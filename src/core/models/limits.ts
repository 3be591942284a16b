// Largest sizes taken from a config.json: far above those of any model that fits a browser, so that a broken or hostile
// file is refused by name before anything is built from it.
export const MAX = { layers: 1024, heads: 1024, headSize: 512, width: 2 ** 20, vocab: 2 ** 21 }

/**
 * Models that read more are used up to here. The rotary tables are built for every position, 64 MiB for heads of 128
 * at this length, and no browser has the memory to train or explain a longer sequence.
 */
export const MAX_CONTEXT = 131_072
