// After floats.wgsl and params.wgsl. The input, x: rows of CHUNKS * CHUNK numbers, read by eights.
@group(0) @binding($X_BINDING) var<storage, read> x_: array<vec4u>;

// Numbers that meet eight levels: `low` and `high`.
struct Eight { low: vec4<H>, high: vec4<H> }

#if X_DTYPE == float32
// Numbers 8 i .. 8 i + 7, in two fours.
fn ${STORED}eight(i: u32) -> Eight { return Eight(float32_four(x_[2u * i]), float32_four(x_[2u * i + 1u])); }
// Numbers 4 i .. 4 i + 3.
fn ${STORED}four(i: u32) -> vec4f { return float32_four(x_[i]); }
#else
#if H == f16
#if X_DTYPE == bfloat16
// They come from float16; only the largest of them, rounded up, is beyond it.
fn half_four(bits: vec2u) -> vec4<f16> {
  return vec4<f16>(clamp(bfloat16_four(bits), vec4f(-65504.0), vec4f(65504.0)));
}
#else
fn half_four(bits: vec2u) -> vec4<f16> { return bitcast<vec4<f16>>(bits); }
#endif
fn ${STORED}eight(i: u32) -> Eight {
  let bits = x_[i];
  return Eight(half_four(bits.xy), half_four(bits.zw));
}
#else
fn ${STORED}eight(i: u32) -> Eight {
  let bits = x_[i];
  return Eight(${X_DTYPE}_four(bits.xy), ${X_DTYPE}_four(bits.zw));
}
#endif
fn ${STORED}four(i: u32) -> vec4f {
  let bits = x_[i / 2u];
  return ${X_DTYPE}_four(select(bits.xy, bits.zw, i % 2u == 1u));
}
#endif

alias H = $H;

#if NORM
// With the weights of a norm, whose scale of the row is not in it.
fn eight(i: u32) -> Eight {
  let x = stored_eight(i);
  let k = i % (CHUNKS * CHUNK / 8u) * 8u;
  return Eight(x.low * vec4<H>(norm4(k)), x.high * vec4<H>(norm4(k + 4u)));
}
fn four(i: u32) -> vec4f { return stored_four(i) * norm4(i % (CHUNKS * CHUNK / 4u) * 4u); }

// The sum of the squares of eight numbers.
fn squares_of(i: u32) -> f32 {
  let x = stored_eight(i);
  return f32(dot(x.low, x.low) + dot(x.high, x.high));
}
#endif

// Of the chunk that begins with eight `at`, the numbers that meet its levels i.
#if ORDER == sequential
#for i in 0..EIGHTS
fn inputs$i(at: u32) -> Eight { return eight(at + ${i}u); }
#end
#endif
#if ORDER == neighbours
#for i in 0..4
fn inputs$i(at: u32) -> Eight {
  let x = eight(at + ${i}u);
  return Eight(vec4<H>(x.low.xz, x.high.xz), vec4<H>(x.low.yw, x.high.yw));
}
#end
#endif
#if ORDER == spread
#for i in 0..4
fn inputs$i(at: u32) -> Eight {
#for j in 0..4
#if i == 0
  let p$j = eight(at + ${j}u).low.xy;
#endif
#if i == 1
  let p$j = eight(at + ${j}u).low.zw;
#endif
#if i == 2
  let p$j = eight(at + ${j}u).high.xy;
#endif
#if i == 3
  let p$j = eight(at + ${j}u).high.zw;
#endif
#end
  return Eight(vec4<H>(p0.x, p1.x, p2.x, p3.x), vec4<H>(p0.y, p1.y, p2.y, p3.y));
}
#end
#endif
