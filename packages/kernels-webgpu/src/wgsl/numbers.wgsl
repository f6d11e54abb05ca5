// First. Conversions between floats and their bits, exact on every GPU: WGSL lets its own round either way.

// Bits of the bfloat16 nearest to x, ties to even.
fn bf16_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let rounded = (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
  return select(rounded, (bits >> 16u) | 0x40u, (bits & 0x7fffffffu) > 0x7f800000u);
}

fn bf16_value(bits: u32) -> f32 {
  return bitcast<f32>(bits << 16u);
}

// x / 2^shift, ties to even; shift from 1 to 31.
fn shift_round(x: u32, shift: u32) -> u32 {
  let half = (1u << (shift - 1u)) - 1u;
  return (x + half + ((x >> shift) & 1u)) >> shift;
}

// Bits of the float16 nearest to x, ties to even.
fn f16_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return sign | 0x7e00u; }
  if (magnitude >= 0x477ff000u) { return sign | 0x7c00u; } // from 65520 on
  if (magnitude >= 0x38800000u) { return sign | shift_round(magnitude - 0x38000000u, 13u); }
  if (magnitude < 0x33000000u) { return sign; } // below half of the smallest subnormal
  let exponent = magnitude >> 23u;
  return sign | shift_round((magnitude & 0x7fffffu) | 0x800000u, 126u - exponent);
}

fn f16_value(bits: u32) -> f32 {
  return unpack2x16float(bits).x;
}

// The value of x rounded to float16 and to bfloat16.
fn round_f16(x: f32) -> f32 { return f16_value(f16_bits(x)); }
fn round_bf16(x: f32) -> f32 { return bf16_value(bf16_bits(x)); }
