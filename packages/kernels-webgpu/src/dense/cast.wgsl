// After numbers.wgsl. Four elements of one dtype as four of another. A thread writes whole words, so none shares
// one.
@group(0) @binding(0) var<storage, read> from_: array<u32>;
@group(0) @binding(1) var<storage, read_write> to_: array<u32>;

struct Params { n: u32 }
@group(1) @binding(0) var<uniform> params: Params;

// Element i, as a float.
fn load(i: u32) -> f32 {
#if FROM == float32
  return bitcast<f32>(from_[i]);
#endif
#if FROM == int32
  return f32(bitcast<i32>(from_[i]));
#endif
#if FROM == float16
  return f16_value((from_[i / 2u] >> (16u * (i % 2u))) & 0xffffu);
#endif
#if FROM == bfloat16
  return bf16_value((from_[i / 2u] >> (16u * (i % 2u))) & 0xffffu);
#endif
#if FROM == int8
  return f32(extractBits(bitcast<i32>(from_[i / 4u]), 8u * (i % 4u), 8u));
#endif
#if FROM == uint8
  return f32(extractBits(from_[i / 4u], 8u * (i % 4u), 8u));
#endif
#if FROM == float8_e4m3fn
  // float16 with fewer bits of mantissa, and an exponent that is 8 less.
  let bits = extractBits(from_[i / 4u], 8u * (i % 4u), 8u);
  let half = ((bits & 0x80u) << 8u) | ((bits & 0x7fu) << 7u);
  return f16_value(select(half, 0x7e00u, (bits & 0x7fu) == 0x7fu)) * 256.0;
#endif
}

// The bits of one element.
fn encode(x: f32) -> u32 {
#if TO == float32
  return bitcast<u32>(x);
#endif
#if TO == int32
  return bitcast<u32>(i32(x));
#endif
#if TO == float16
  return f16_bits(x);
#endif
#if TO == bfloat16
  return bf16_bits(x);
#endif
#if TO == int8
  return bitcast<u32>(i32(x)) & 0xffu;
#endif
#if TO == uint8
  return bitcast<u32>(i32(x)) & 0xffu;
#endif
}

fn element(i: u32) -> u32 {
  return encode(load(min(i, params.n - 1u)));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = ((group.y * groups.x + group.x) * 64u + lane) * 4u;
  if (i >= params.n) { return; }
#if TO_SIZE == 4
#for j in 0..4
  if (i + $j < params.n) { to_[i + $j] = element(i + $j); }
#end
#endif
#if TO_SIZE == 2
  to_[i / 2u] = element(i) | (element(i + 1u) << 16u);
  if (i + 2u < params.n) { to_[i / 2u + 1u] = element(i + 2u) | (element(i + 3u) << 16u); }
#endif
#if TO_SIZE == 1
  to_[i / 4u] = element(i) | (element(i + 1u) << 8u) | (element(i + 2u) << 16u) | (element(i + 3u) << 24u);
#endif
}
