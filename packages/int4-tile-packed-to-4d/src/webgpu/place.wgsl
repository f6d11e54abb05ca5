// Tiles of 8 rows by 128 columns: the four words of a piece belong to neighbouring lanes of one tile.
const TILES = ${TILES}u; // along K, with padding

fn place(row: u32, piece: u32, i: u32) -> u32 {
  let lane = row % 8u * 4u + i;
  return ((row / 8u * TILES + piece / 4u) * 32u + lane) * 4u + piece % 4u;
}
