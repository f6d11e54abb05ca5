// Codes of a word as floats without converting any: four bits at the top of a mantissa whose exponent says
// 16 are the number 16 + code. An exclusive or sets the exponent, and turns signed codes into 0..15.

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

// Values from such codes are kept at a 32nd: sixteen times a scale may be beyond the largest number where
// the value is not. Powers of two change no digit.
const SHARE = 0.03125;
const WHOLE = 32.0;
