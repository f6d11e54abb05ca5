// After numbers.wgsl. Floats as they are stored, read and written four at a time; all maths is in f32. Names begin
// with the dtype, so that templates pick: ${X}_load(x[i]).

alias float32_4 = vec4u;
alias float16_4 = vec2u;
alias bfloat16_4 = vec2u;

fn float32_load(x: float32_4) -> vec4f { return bitcast<vec4f>(x); }
fn float16_load(x: float16_4) -> vec4f {
  return vec4f(unpack2x16float(x.x), unpack2x16float(x.y));
}
fn bfloat16_load(x: bfloat16_4) -> vec4f {
  return bitcast<vec4f>(vec4u(x.x << 16u, x.x & 0xffff0000u, x.y << 16u, x.y & 0xffff0000u));
}

fn float32_store(x: vec4f) -> float32_4 { return bitcast<vec4u>(x); }
fn float16_store(x: vec4f) -> float16_4 {
  return vec2u(f16_bits(x.x) | (f16_bits(x.y) << 16u), f16_bits(x.z) | (f16_bits(x.w) << 16u));
}
fn bfloat16_store(x: vec4f) -> bfloat16_4 {
  return vec2u(bf16_bits(x.x) | (bf16_bits(x.y) << 16u), bf16_bits(x.z) | (bf16_bits(x.w) << 16u));
}

// The numbers that storing gives.
fn float32_round(x: vec4f) -> vec4f { return x; }
fn float16_round(x: vec4f) -> vec4f { return float16_load(float16_store(x)); }
fn bfloat16_round(x: vec4f) -> vec4f { return bfloat16_load(bfloat16_store(x)); }

// Element i, which is in word i / ${X}_per_word.
const float32_per_word = 1u;
const float16_per_word = 2u;
const bfloat16_per_word = 2u;
fn float32_at(word: u32, i: u32) -> f32 { return bitcast<f32>(word); }
fn float16_at(word: u32, i: u32) -> f32 { return unpack2x16float(word >> (16u * (i & 1u))).x; }
fn bfloat16_at(word: u32, i: u32) -> f32 { return bitcast<f32>((word >> (16u * (i & 1u))) << 16u); }
