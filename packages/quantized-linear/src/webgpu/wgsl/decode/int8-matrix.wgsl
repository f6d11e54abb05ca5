// After int8.wgsl and a format's `zero_level`, before matrix.wgsl. The right side of a product of matrices: an item
// is 16 codes of one row, less its zero point; results are multiplied with the row's scale.
struct RightItem { bits: vec4u, zero: f32 }

fn load_right(n: u32, k: u32, slot: u32) -> RightItem {
  return RightItem(load_chunk(n, k / 16u), zero_level(params.first + n, 0u));
}

// Bytes 0 and 2 of a word as numbers: below an exponent that says 1024, code + 128 is 1152 + code.
fn pair_of_codes(word: u32, zero: vec2<H>) -> vec2<H> {
  let bits = (word & 0x00ff00ffu) ^ 0x64806480u;
#if H == f16
  return bitcast<vec2<f16>>(bits) - vec2<f16>(1152.0) - zero;
#else
  return unpack2x16float(bits) - vec2f(1152.0) - zero;
#endif
}

fn right_cells(item: RightItem) -> array<vec2<H>, 8> {
  let zero = vec2<H>(H(item.zero));
#for c in 0..4
  let even$c = pair_of_codes(item.bits[$c], zero);
  let odd$c = pair_of_codes(item.bits[$c] >> 8u, zero);
#end
  return array<vec2<H>, 8>(
#for c in 0..4
    vec2<H>(even$c.x, odd$c.x), vec2<H>(even$c.y, odd$c.y),
#end
  );
}
