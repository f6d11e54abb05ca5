// What rules have in common that turn the range of a block into a scale and a zero point. Each step rounds
// to the input's dtype: $ROUND is round_bf16, round_f16, or nothing.

struct Qparams { scale: f32, zero: f32 }

// What a rule depends on, and a 0 for `apart`.
struct Rule { quant_min: f32, quant_max: f32, eps: f32, nothing: u32 }

fn has_nan(range: vec2i) -> bool { return range.x < LOWEST || range.y > HIGHEST; }

// The code in the middle, or half a code above: 8 of 0..15, 0.5 of -127..127.
fn middle_of(rule: Rule) -> f32 { return (rule.quant_max + rule.quant_min + 1.0) * 0.5; }

fn at_least(x: f32, low: f32) -> f32 {
  if (is_nan(x)) { return x; }
  return max(x, low);
}

fn span_scale(low: f32, high: f32, rule: Rule) -> f32 {
  let steps = rule.quant_max - rule.quant_min;
  return at_least($ROUND(divide($ROUND(high - low), steps)), rule.eps);
}
