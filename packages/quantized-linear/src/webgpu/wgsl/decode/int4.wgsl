// After int4-words.wgsl. Levels are code - 8. Codes become floats without being converted: four bits at the top
// of a mantissa whose exponent says 16 are the number 16 + code. An exclusive or sets the exponent, and turns
// signed codes into 0..15.
const LEVEL_OFFSET = 24.0;

// Values from such levels are kept at a 32nd: sixteen times a scale may be beyond the largest number where the
// value is not. Powers of two change no digit.
const SHARE = 0.03125;
const WHOLE = 32.0;

// 16 + code of nibbles 0..3, from the lowest.
fn low_codes(word: u32) -> vec4f {
  let bits = vec4u(word << 19u, word << 15u, word << 11u, word << 7u);
  return bitcast<vec4f>((bits & vec4u(0x780000u)) ^ vec4u(SIXTEEN));
}

// 16 + code of nibbles 4..7.
fn high_codes(word: u32) -> vec4f {
  let bits = vec4u(word << 3u, word >> 1u, word >> 5u, word >> 9u);
  return bitcast<vec4f>((bits & vec4u(0x780000u)) ^ vec4u(SIXTEEN));
}

#if SIGNED
const SIXTEEN = 0x41c00000u;
#else
const SIXTEEN = 0x41800000u;
#endif

#for i in 0..4
fn levels$i(chunk: Chunk) -> Levels { return Levels(low_codes(chunk[$i]), high_codes(chunk[$i])); }
#end

// Word j / 2 of a chunk: its low nibbles where j is even, or else its high ones.
fn levels4(row: u32, chunk: u32, j: u32) -> vec4f { return low_codes(word(row, chunk, j / 2u) >> (16u * (j % 2u))); }

fn level(row: u32, k: u32) -> f32 { return f32(code(row, k)) - 8.0; }
