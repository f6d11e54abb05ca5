// Before tensor.wgsl. Four neighbours of a dtype, from the words that hold them.
fn float32_four(bits: vec4u) -> vec4f { return bitcast<vec4f>(bits); }
fn float16_four(bits: vec2u) -> vec4f {
  return vec4f(unpack2x16float(bits.x), unpack2x16float(bits.y));
}
fn bfloat16_four(bits: vec2u) -> vec4f {
  return bitcast<vec4f>(vec4u(bits.x << 16u, bits.x & 0xffff0000u, bits.y << 16u, bits.y & 0xffff0000u));
}
fn int8_four(bits: u32) -> vec4f {
  return vec4f((vec4i(bitcast<i32>(bits)) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u));
}
fn uint8_four(bits: u32) -> vec4f { return vec4f((vec4u(bits) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(0xffu)); }
fn int32_four(bits: vec4u) -> vec4f { return vec4f(bitcast<vec4i>(bits)); }
// float8_e4m3fn is float16 with fewer bits of mantissa and an exponent that is 8 less.
fn float8_e4m3fn_four(bits: u32) -> vec4f {
  let pairs = vec2u(bits, bits >> 16u);
  let spread = (pairs & vec2u(0xffu)) | ((pairs & vec2u(0xff00u)) << vec2u(8u));
  return 256.0 * float16_four(((spread & vec2u(0x800080u)) << vec2u(8u)) | ((spread & vec2u(0x7f007fu)) << vec2u(7u)));
}
