// After codes.wgsl and `levels_of`, which makes levels of a word of four codes. Codes of a byte each, 16 to a chunk;
// where chunks do not fill rows, the rest of the last one is zeros, which stand for 0.
const LEVEL_OFFSET = 0.0;
const SHARE = 1.0;
const WHOLE = 1.0;

alias Chunk = vec4u;

#if IS_VECTOR
fn load_chunk(row: u32, chunk: u32) -> Chunk { return codes_at(row * CHUNKS + chunk); }
fn word_at(row: u32, k: u32) -> u32 { return codes_component((row * K + k) / 16u, k / 4u % 4u); }
#else
fn load_chunk(row: u32, chunk: u32) -> Chunk {
  let k = 16u * chunk;
  return vec4u(word_at(row, k), word_at(row, k + 4u), word_at(row, k + 8u), word_at(row, k + 12u));
}

// Four codes of a row from k on, and zeros from K on.
fn word_at(row: u32, k: u32) -> u32 {
  if (k >= K) { return 0u; }
  let byte = row * K + k;
  let shift = byte % 4u * 8u;
  var word = codes_at(byte / 4u) >> shift;
  if (shift > 0u) { word |= codes_at(byte / 4u + 1u) << (32u - shift); }
  return select(word, extractBits(word, 0u, 8u * (K - k)), K - k < 4u);
}
#endif

fn level(row: u32, k: u32) -> f32 { return levels_of(word_at(row, k / 4u * 4u) >> (k % 4u * 8u)).x; }

#for i in 0..2
fn levels$i(chunk: Chunk) -> Levels { return Levels(levels_of(chunk[2u * ${i}u]), levels_of(chunk[2u * ${i}u + 1u])); }
#end

fn levels4(row: u32, chunk: u32, j: u32) -> vec4f { return levels_of(word_at(row, 16u * chunk + 4u * j)); }
