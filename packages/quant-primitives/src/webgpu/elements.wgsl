// After numbers.wgsl and exact.wgsl. Elements of tensors in words: element i of `words` is value_<dtype>(words[i /
// elements per word], i), and bits_<dtype> are the bits of a number as an element. Casts are those of the CPU.

fn value_float32(word: u32, i: u32) -> f32 { return bitcast<f32>(word); }
fn value_bfloat16(word: u32, i: u32) -> f32 { return bf16_value(extractBits(word, 16u * (i % 2u), 16u)); }
fn value_float16(word: u32, i: u32) -> f32 { return f16_value(extractBits(word, 16u * (i % 2u), 16u)); }
fn value_int32(word: u32, i: u32) -> f32 { return f32(bitcast<i32>(word)); }
fn value_int8(word: u32, i: u32) -> f32 {
  return f32(extractBits(bitcast<i32>(word), 8u * (i % 4u), 8u));
}
fn value_uint8(word: u32, i: u32) -> f32 { return f32(extractBits(word, 8u * (i % 4u), 8u)); }

fn bits_float32(x: f32) -> u32 { return bitcast<u32>(x); }
fn bits_bfloat16(x: f32) -> u32 { return bf16_bits(x); }
fn bits_float16(x: f32) -> u32 { return f16_bits(x); }
fn bits_int32(x: f32) -> u32 {
  return select(bitcast<u32>(i32(x)), 0x80000000u, is_nan(x) || x >= 2147483648.0);
}
fn bits_int8(x: f32) -> u32 { return select(bitcast<u32>(i32(x)) & 0xffu, 0u, is_special(x)); }
fn bits_uint8(x: f32) -> u32 { return bits_int8(x); }
