// After arithmeticWgsl, before affine-rules.wgsl or int4-rules.wgsl. What rules have in common that turn the range
// of a block into a scale and a zero point. Each step rounds to the input's dtype: $ROUND is round_bf16,
// round_f16, or nothing.

struct Qparams { scale: f32, zero: f32 }

// What a rule depends on, and a 0 for `unfused`.
struct Rule { quant_min: f32, quant_max: f32, eps: f32, nothing: u32 }

fn has_nan(range: vec2i) -> bool { return range.x < LOWEST || range.y > HIGHEST; }

// The code in the middle, or half a code above: 8 of 0..15, 0.5 of -127..127.
fn middle_of(rule: Rule) -> f32 { return (rule.quant_max + rule.quant_min + 1.0) * 0.5; }

fn at_least(x: f32, low: f32) -> f32 {
  if (is_nan(x)) { return x; }
  return max(x, low);
}

// The range as `safeRange` of the CPU narrows it.
fn safe_range(range: vec2i) -> vec2f {
  let ends = vec2f(value_of(range.x), value_of(range.y));
#if FINITE
  let magnitudes = bitcast<vec2u>(ends) & vec2u(0x7fffffffu);
  if (max(magnitudes.x, magnitudes.y) < 0x0d800000u) { return vec2f(); } // below 2^-100
  return vec2f(limited(ends.x), limited(ends.y));
#else
  return ends;
#endif
}

#if FINITE
fn limited(x: f32) -> f32 {
  if (is_special(x)) { return x; }
  return clamp(x, -${LIMIT}, ${LIMIT});
}
#endif

// (high - low) / steps, by halves where the difference is beyond the largest number.
fn span_step(low: f32, high: f32, steps: f32) -> f32 {
#if FINITE
  let half = high * 0.5 - low * 0.5;
  if (half > ${LARGEST} * 0.5) { return $ROUND(divide($ROUND(half), steps * 0.5)); }
#endif
  return $ROUND(divide($ROUND(high - low), steps));
}

fn span_scale(low: f32, high: f32, rule: Rule) -> f32 {
  return at_least(span_step(low, high, rule.quant_max - rule.quant_min), rule.eps);
}
