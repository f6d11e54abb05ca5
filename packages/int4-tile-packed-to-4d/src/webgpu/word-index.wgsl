// Before int4-words.wgsl of @ao/quantized-linear. Tiles of 8 rows by 128 columns: the four words of a chunk belong to neighbouring lanes of one tile.
const TILES = ${TILES}u; // along K, with padding

fn word_index(row: u32, chunk: u32, i: u32) -> u32 {
  let lane = row % 8u * 4u + i;
  return ((row / 8u * TILES + chunk / 4u) * 32u + lane) * 4u + chunk % 4u;
}
