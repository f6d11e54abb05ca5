// Scale and zero point of a block from the range of its numbers, as `qparams-rules.ts` has them. Each
// step rounds to the input's dtype: $ROUND is round_bf16, round_f16, or nothing.

struct Qparams { scale: f32, zero: f32 }

// What a rule depends on, and a 0 for `apart`.
struct Rule { quant_min: f32, quant_max: f32, eps: f32, nothing: u32 }

fn at_least(x: f32, low: f32) -> f32 {
  if (is_nan(x)) { return x; }
  return max(x, low);
}

#if MAPPING == SYMMETRIC
fn qparams_of(low: f32, high: f32, rule: Rule) -> Qparams {
  if (is_nan(low)) { return Qparams(low, middle_code(rule)); }
  let half_span = (rule.quant_max - rule.quant_min) * 0.5;
  let scale = $ROUND(divide(max(max(-low, high), 0.0), half_span));
  return Qparams(max(scale, rule.eps), middle_code(rule));
}
#endif
#if MAPPING == SYMMETRIC_NO_CLIPPING_ERR
fn qparams_of(low: f32, high: f32, rule: Rule) -> Qparams {
  if (is_nan(low)) { return Qparams(low, middle_code(rule)); }
  let from_low = $ROUND(divide(min(low, 0.0), rule.quant_min));
  var scale = $ROUND(divide(max(high, 0.0), rule.quant_max));
  if (!is_nan(from_low) && !is_nan(scale)) { scale = max(from_low, scale); }
  return Qparams(at_least(scale, rule.eps), middle_code(rule));
}
#endif
#if MAPPING == ASYMMETRIC
fn qparams_of(lowest: f32, highest: f32, rule: Rule) -> Qparams {
  if (is_nan(lowest)) { return Qparams(lowest, lowest); }
#if WITH_ZERO
  let low = min(lowest, 0.0);
  let high = max(highest, 0.0);
#else
  let low = lowest;
  let high = highest;
#endif
  let scale = span_scale(low, high, rule);
  let below_zero = $ROUND(divide(low, scale));
  if (is_nan(below_zero)) { return Qparams(scale, below_zero); }
  let zero = clamp($ROUND(rule.quant_min - round(below_zero)), $ROUND(rule.quant_min), $ROUND(rule.quant_max));
  return Qparams(scale, zero);
}
#endif

fn span_scale(low: f32, high: f32, rule: Rule) -> f32 {
  let steps = rule.quant_max - rule.quant_min;
  return at_least($ROUND(divide($ROUND(high - low), steps)), rule.eps);
}

// The zero point of symmetric mappings: 0 for int8, 128 for uint8.
fn middle_code(rule: Rule) -> f32 {
  return $ROUND(trunc((rule.quant_max + rule.quant_min + 1.0) * 0.5));
}
