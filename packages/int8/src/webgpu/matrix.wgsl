// Products of many tokens as matrices of subgroups: both sides as @ao/kernels-webgpu/matrices asks for them, words of
// four codes, or numbers of $H.
#if CODES
alias Cell = i32;
alias Element = i32;
struct LeftItem { bits: vec4u }
#else
alias Cell = $H;
alias Element = f32;
struct LeftItem { low: $X, high: $X }
#endif
struct RightItem { bits: vec4u, zero: f32 }

fn count_m() -> u32 { return params.m; }
fn count_n() -> u32 { return params.n; }

fn load_right(n: u32, k: u32, slot: u32) -> RightItem {
#if CODES
  return RightItem(weight[(n * $K + k) / 16u], 0.0);
#else
  return RightItem(weight[(n * $K + k) / 16u], zero_at(n, 0u));
#endif
}

#if CODES
fn load_left(m: u32, k: u32) -> LeftItem { return LeftItem(x[(m * $K + k) / 16u]); }
fn words(bits: vec4u) -> array<vec2i, 2> { return array<vec2i, 2>(bitcast<vec2i>(bits.xy), bitcast<vec2i>(bits.zw)); }
fn left_cells(item: LeftItem) -> array<vec2i, 2> { return words(item.bits); }
fn right_cells(item: RightItem) -> array<vec2i, 2> { return words(item.bits); }
#else
fn load_left(m: u32, k: u32) -> LeftItem {
  let at = (m * $K + k) / 4u;
  return LeftItem(x[at], x[at + 1u]);
}
fn left_cells(item: LeftItem) -> array<vec2<$H>, 4> {
  let low = vec4<$H>(item.low);
  let high = vec4<$H>(item.high);
  return array<vec2<$H>, 4>(low.xy, low.zw, high.xy, high.zw);
}

// Bytes 0 and 2 of a word as numbers: below an exponent that says 1024, code + 128 is 1152 + code.
fn pair_of_codes(word: u32, zero: vec2<$H>) -> vec2<$H> {
  let bits = (word & 0x00ff00ffu) ^ 0x64806480u;
#if H == f16
  return bitcast<vec2<f16>>(bits) - vec2<f16>(1152.0) - zero;
#else
  return unpack2x16float(bits) - vec2f(1152.0) - zero;
#endif
}

fn right_cells(item: RightItem) -> array<vec2<$H>, 8> {
  let zero = vec2<$H>($H(item.zero));
#for c in 0..4
  let even$c = pair_of_codes(item.bits[$c], zero);
  let odd$c = pair_of_codes(item.bits[$c] >> 8u, zero);
#end
  return array<vec2<$H>, 8>(
#for c in 0..4
    vec2<$H>(even$c.x, odd$c.x), vec2<$H>(even$c.y, odd$c.y),
#end
  );
}
#endif

fn take(m: u32, n: u32, sum: Element) { finish(m, n, sum, Element(0)); }
