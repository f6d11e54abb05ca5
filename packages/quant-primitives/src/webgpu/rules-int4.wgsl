// More rules, for 4-bit codes.
#if MAPPING == TINYGEMM
fn qparams_of(low: f32, high: f32, rule: Rule) -> Qparams {
  if (is_nan(low)) { return Qparams(low, low); }
  let scale = span_scale(low, high, rule);
  let middle = (rule.quant_max + rule.quant_min + 1.0) * 0.5;
  return Qparams(scale, $ROUND(low + apart($ROUND(scale * middle), rule.nothing)));
}
#endif
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
