// Scale and zero point of a block from the range of its numbers, as `qparams-rules.ts` has them. Each
// step rounds to the input's dtype: $ROUND is round_bf16, round_f16, or nothing.

struct Qparams { scale: f32, zero: f32 }

// What a rule depends on. `nothing` is 0: what is joined with it is a number of its own to compilers,
// which would otherwise join the operation that made it with the next.
struct Rule { quant_min: f32, quant_max: f32, eps: f32, nothing: u32 }

fn apart(x: f32, nothing: u32) -> f32 { return bitcast<f32>(bitcast<u32>(x) ^ nothing); }

fn at_least(x: f32, low: f32) -> f32 {
  if (is_nan(x)) { return x; }
  return max(x, low);
}

#if MAPPING == INT4
// (scale, lowest number) or, with MIDDLE, (scale, value of code 8) of torchao's plain int4 format.
fn qparams_of(low: f32, high: f32, rule: Rule) -> Qparams {
  let scale = divide(at_least(high - low, rule.eps), 15.0);
#if MIDDLE
  return Qparams(scale, low + apart(scale * 8.0, rule.nothing));
#else
  return Qparams(scale, low);
#endif
}
#endif
#if MAPPING == INT4_SYMMETRIC
fn qparams_of(low: f32, high: f32, rule: Rule) -> Qparams {
  return Qparams(max(max(-low, high), rule.eps) * 0.125, 0.0);
}
#endif
#if MAPPING == SYMMETRIC
fn qparams_of(low: f32, high: f32, rule: Rule) -> Qparams {
  let half_span = (rule.quant_max - rule.quant_min) * 0.5;
  return Qparams(at_least($ROUND(divide(magnitude(low, high), half_span)), rule.eps), middle_code(rule));
}

fn magnitude(low: f32, high: f32) -> f32 {
  if (is_nan(low)) { return low; }
  return max(max(-low, high), 0.0);
}
#endif
#if MAPPING == SYMMETRIC_NO_CLIPPING_ERR
fn qparams_of(low: f32, high: f32, rule: Rule) -> Qparams {
  var scale = nan();
  if (!is_nan(low)) {
    let from_low = $ROUND(divide(min(low, 0.0), rule.quant_min));
    scale = $ROUND(divide(max(high, 0.0), rule.quant_max));
    if (is_nan(from_low) || is_nan(scale)) { return Qparams(at_least(scale, rule.eps), middle_code(rule)); }
    scale = max(from_low, scale);
  }
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
#if MAPPING == TINYGEMM
fn qparams_of(low: f32, high: f32, rule: Rule) -> Qparams {
  if (is_nan(low)) { return Qparams(low, low); }
  let scale = span_scale(low, high, rule);
  let middle = (rule.quant_max + rule.quant_min + 1.0) * 0.5;
  return Qparams(scale, $ROUND(low + apart($ROUND(scale * middle), rule.nothing)));
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
