// After numbers.wgsl. Arithmetic that gives the CPU's bits on every GPU. WGSL's division may be off by several
// last bits, it may join a product and a sum into one rounding, and it leaves open what becomes of NaN and
// infinity.

const INFINITY = 0x7f800000u;

fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > INFINITY; }

// Whether x is infinite or NaN.
fn is_special(x: f32) -> bool { return (bitcast<u32>(x) & INFINITY) == INFINITY; }

// A compiler refuses to write NaN out, so it is made at run time.
fn nan() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

// Exponent, and the mantissa with its leading one at bit 23, of the bits of a positive number.
fn unpacked(bits: u32) -> vec2i {
  let exponent = i32(bits >> 23u);
  let mantissa = bits & 0x7fffffu;
  if (exponent > 0) { return vec2i(exponent, i32(mantissa | 0x800000u)); }
  let shift = countLeadingZeros(mantissa) - 8u;
  return vec2i(1 - i32(shift), i32(mantissa << shift));
}

// a / b, rounded to nearest, ties to even. The GPU's own quotient of the mantissas is a guess, whose
// rest in integers tells by how much it is off.
fn divide(a: f32, b: f32) -> f32 {
  let sign = (bitcast<u32>(a) ^ bitcast<u32>(b)) & 0x80000000u;
  let x = bitcast<u32>(a) & 0x7fffffffu;
  let y = bitcast<u32>(b) & 0x7fffffffu;
  if (max(x, y) > INFINITY || min(x, y) == INFINITY || max(x, y) == 0u) { return nan(); }
  if (x == INFINITY || y == 0u) { return bitcast<f32>(sign | INFINITY); }
  if (x == 0u || y == INFINITY) { return bitcast<f32>(sign); }
  let n = unpacked(x);
  let d = unpacked(y);
  let borrows = n.y < d.y;
  let exponent = n.x - d.x + select(127, 126, borrows);
  let dividend = u32(n.y) << select(0u, 1u, borrows);
  var quotient = u32(f32(dividend) / f32(d.y) * 16777216.0); // 25 bits
  var rest = bitcast<i32>((dividend << 24u) - quotient * u32(d.y));
  while (rest < 0) { quotient -= 1u; rest += d.y; }
  while (rest >= d.y) { quotient += 1u; rest -= d.y; }
  if (exponent > 254) { return bitcast<f32>(sign | INFINITY); }
  let shift = u32(clamp(3 - exponent, 2, 31));
  let mantissa = shift_round((quotient << 1u) | select(0u, 1u, rest != 0), shift);
  return bitcast<f32>(sign | ((u32(max(exponent, 1) - 1) << 23u) + mantissa));
}

// x * y, with the CPU's NaN and infinities.
fn multiply(x: f32, y: f32) -> f32 {
  if (!is_special(x) && !is_special(y)) { return x * y; }
  let a = bitcast<u32>(x) & 0x7fffffffu;
  let b = bitcast<u32>(y) & 0x7fffffffu;
  if (max(a, b) > INFINITY || min(a, b) == 0u) { return nan(); }
  return bitcast<f32>(((bitcast<u32>(x) ^ bitcast<u32>(y)) & 0x80000000u) | INFINITY);
}

fn clamp_code(x: f32, low: f32, high: f32) -> f32 {
  if (is_nan(x)) { return x; }
  return clamp(x, low, high);
}

// Floats in the order of integers. NaNs lie beyond the infinities.
fn order_of(x: f32) -> i32 {
  let bits = bitcast<i32>(x);
  return bits ^ ((bits >> 31u) & 0x7fffffff);
}

const LOWEST = -0x7f800001; // of -infinity
const HIGHEST = 0x7f800000;

// The range (lowest, highest) of both, in that order.
fn wider(a: vec2i, b: vec2i) -> vec2i { return vec2i(min(a.x, b.x), max(a.y, b.y)); }

fn value_of(order: i32) -> f32 { return bitcast<f32>(order ^ ((order >> 31u) & 0x7fffffff)); }

// x; `nothing` is 0, which compilers do not know. They would join the operation that made x with the next,
// and round once.
fn unfused(x: f32, nothing: u32) -> f32 { return bitcast<f32>(bitcast<u32>(x) ^ nothing); }
