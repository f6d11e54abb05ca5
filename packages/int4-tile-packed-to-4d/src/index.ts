export type { Int4TilePackedTo4dFields } from './layout.ts'
export { dequantizeInt4Tiles, int4TiledLinear, type Int4TiledWeight } from './linear-ops.ts'
export { Int4TilePackedTo4dTensor, type Int4TilePackedFromCodesOptions } from './tensor.ts'
export { packInt4Tiles, unpackInt4Tiles } from './tiles.ts'

// Exported again, so that this package alone is enough to quantize a weight and use it.
export { linear, readFloat32, tensor, type Tensor } from '@ao/base-tensor'
export { PerGroup, PerRow, type Granularity } from '@ao/granularity'
