// Codes as they are stored: words of eight, four words to a piece. Rows count from the first that is bound.
#if !HAS_PLACE
// Index of word i of a piece.
fn place(row: u32, piece: u32, i: u32) -> u32 { return (row * PIECES + piece) * 4u + i; }
#endif

#if TOGETHER
@group(0) @binding($codes_BINDING) var<storage, read> codes_: array<vec4u>;

fn words(row: u32, piece: u32) -> vec4u { return codes_[place(row, piece, 0u) / 4u]; }
fn word(row: u32, piece: u32, i: u32) -> u32 { return codes_[place(row, piece, 0u) / 4u][i]; }
#else
@group(0) @binding($codes_BINDING) var<storage, read> codes_: array<u32>;

fn word(row: u32, piece: u32, i: u32) -> u32 { return codes_[place(row, piece, i)]; }
fn words(row: u32, piece: u32) -> vec4u {
  return vec4u(word(row, piece, 0u), word(row, piece, 1u), word(row, piece, 2u), word(row, piece, 3u));
}
#endif

// One code, 0..15.
fn code(row: u32, k: u32) -> u32 {
#if WHOLE_PIECES
#if ORDER == sequential
  let bits = word(row, k / 32u, k / 8u % 4u) >> (4u * (k % 8u));
#endif
#if ORDER == neighbours
  let bits = word(row, k / 32u, k / 8u % 4u) >> (4u * (k % 8u / 2u + 4u * (k % 2u)));
#endif
#if ORDER == spread
  let bits = word(row, k / 32u, k % 8u / 2u) >> (4u * (k % 32u / 8u + 4u * (k % 2u)));
#endif
#else
  let i = row * K + k;
  let bits = codes_[i / 8u] >> (4u * (i % 8u));
#endif
#if SIGNED
  return (bits & 15u) ^ 8u;
#else
  return bits & 15u;
#endif
}
