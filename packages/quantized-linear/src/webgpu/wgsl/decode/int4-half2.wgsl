// After int4-words.wgsl and an alias H. Levels by twos, without converting any code: below an exponent that says
// 1024, a nibble is the number 1024 + code.
#if SIGNED
const FIRST_BIAS = 0x64086408u;
const SECOND_BIAS = 0x64806480u;
#else
const FIRST_BIAS = 0x64006400u;
const SECOND_BIAS = 0x64006400u;
#endif

// Of nibbles 0 and 4.
fn first_pair(word: u32) -> vec2<H> {
  return halves((word & 0x000f000fu) ^ FIRST_BIAS) - vec2<H>(1032.0);
}

// Of nibbles 1 and 5: where they are, they count sixteen times as much.
fn second_pair(word: u32) -> vec2<H> {
  return fma(halves((word & 0x00f000f0u) ^ SECOND_BIAS), vec2<H>(0.0625), vec2<H>(-72.0));
}

fn halves(bits: u32) -> vec2<H> {
#if H == f16
  return bitcast<vec2<f16>>(bits);
#else
  return unpack2x16float(bits);
#endif
}
