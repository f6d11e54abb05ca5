// Before bytes.wgsl. Levels are numbers of $FLOAT8; scale is (N / SCALE_ROWS, K / g), one for each block. A scale of
// zero makes zeros of all codes, also of those that stand for no number.
#if FLOAT8 == float8_e4m3fn
fn levels_of(word: u32) -> vec4f { return float8_e4m3fn_four(word); }
#else
// The upper half of a float16; what is infinite or no number ends at the largest.
fn levels_of(word: u32) -> vec4f {
  let codes = (vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(0xffu);
  let halves = (((codes & vec4u(0x80u)) | min(codes & vec4u(0x7fu), vec4u(0x7bu))) << vec4u(8u));
  return float16_four(halves.xz | (halves.yw << vec2u(16u)));
}
#endif

fn scale_of(row: u32, group: u32) -> f32 { return scale1(min(row, N - 1u) / ${SCALE_ROWS}u * GROUPS + group); }

fn qparams(row: u32, group: u32) -> Qparams {
  return Qparams(vec4f(scale_of(row, group), scale_of(row + 1u, group), scale_of(row + 2u, group), scale_of(row + 3u, group)), vec4f());
}

fn value_of(row: u32, group: u32, level: f32) -> f32 { return level * scale_of(row, group); }
