// After arithmeticWgsl. float8 numbers of $MANTISSA bits behind the leading one, with an exponent that is biased by
// $BIAS; and the scale of a block.
const MANTISSA = ${MANTISSA}u;
const BIAS = ${BIAS}u;
const LARGEST_FLOAT8 = ${LARGEST};

fn value_float8_e4m3fn(word: u32, i: u32) -> f32 {
  // float16 with fewer bits of mantissa, and an exponent that is 8 less.
  let bits = extractBits(word, 8u * (i % 4u), 8u);
  let half = ((bits & 0x80u) << 8u) | ((bits & 0x7fu) << 7u);
  return f16_value(select(half, 0x7e00u, (bits & 0x7fu) == 0x7fu)) * 256.0;
}
fn value_float8_e5m2(word: u32, i: u32) -> f32 { return f16_value(extractBits(word, 8u * (i % 4u), 8u) << 8u); }

// The code of x / scale, at most the largest number; ties to even. NaN has the sign that the CPU gives it.
fn code_of(x: f32, scale: f32) -> u32 {
  let quotient = divide(x, scale);
  if (is_nan(x)) { return select(0x7fu, 0xffu, (bitcast<u32>(x) >> 31u) == 1u); }
  if (is_nan(scale)) { return 0x7fu; }
  if (is_nan(quotient)) { return 0xffu; }
  let sign = (bitcast<u32>(quotient) >> 24u) & 0x80u;
  let magnitude = min(bitcast<u32>(quotient) & 0x7fffffffu, bitcast<u32>(LARGEST_FLOAT8));
  if (magnitude >= (128u - BIAS) << 23u) {
    return sign | shift_round(magnitude - ((127u - BIAS) << 23u), 23u - MANTISSA);
  }
  let one = bitcast<f32>((126u + BIAS + MANTISSA) << 23u); // 1 / the smallest number
  return sign | u32(round(bitcast<f32>(magnitude) * one));
}

// The scale of a block whose largest magnitude has these bits.
fn scale_of_peak(bits: u32) -> f32 {
  if (bits > INFINITY) { return nan(); }
  var peak = bits;
#if HAS_LOWEST
  peak = max(peak, bitcast<u32>(${LOWEST}));
#endif
#if HAS_HIGHEST
  peak = min(peak, bitcast<u32>(${HIGHEST}));
#endif
#if FINITE
  if (peak < 0x0d800000u) { return 0.0; } // 2^-100
  if (peak < INFINITY) { peak = min(peak, bitcast<u32>(${LIMIT})); }
#endif
  let scale = $ROUND_SCALE(divide(bitcast<f32>(peak), LARGEST_FLOAT8));
#if HAS_SMALLEST
  return max(scale, ${SMALLEST});
#else
  return scale;
#endif
}

// What values of a block are divided by.
fn divisor(scale: f32) -> f32 {
#if FINITE
  var infinity = INFINITY; // which a compiler refuses to write out
  if (scale == 0.0) { return bitcast<f32>(infinity); }
#endif
  return scale;
}
