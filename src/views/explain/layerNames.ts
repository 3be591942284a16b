// What a layer's output is called: 0 is what the first layer reads.
export const layerName = (layer: number): string => (layer === 0 ? 'input' : `layer ${layer}`)
