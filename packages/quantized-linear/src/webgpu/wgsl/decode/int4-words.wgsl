// After codes.wgsl. Codes of four bits in words of eight, and four words to a chunk of 32.
#if !HAS_WORD_INDEX
// Index of word i of a chunk.
fn word_index(row: u32, chunk: u32, i: u32) -> u32 { return (row * CHUNKS + chunk) * 4u + i; }
#endif

alias Chunk = vec4u;

#if IS_VECTOR
fn load_chunk(row: u32, chunk: u32) -> Chunk { return codes_at(word_index(row, chunk, 0u) / 4u); }
fn word(row: u32, chunk: u32, i: u32) -> u32 { return codes_component(word_index(row, chunk, 0u) / 4u, i); }
#else
fn word(row: u32, chunk: u32, i: u32) -> u32 { return codes_at(word_index(row, chunk, i)); }
fn load_chunk(row: u32, chunk: u32) -> Chunk {
  return vec4u(word(row, chunk, 0u), word(row, chunk, 1u), word(row, chunk, 2u), word(row, chunk, 3u));
}
#endif

// One code, 0..15.
fn code(row: u32, k: u32) -> u32 {
#if WHOLE_CHUNKS
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
  let bits = codes_at(i / 8u) >> (4u * (i % 8u));
#endif
#if SIGNED
  return (bits & 15u) ^ 8u;
#else
  return bits & 15u;
#endif
}
