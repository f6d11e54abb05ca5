// After range-to-qparams.wgsl, before qparams.wgsl. The rules of 4-bit codes with floating zero points.
fn qparams_of(range: vec2i, rule: Rule) -> Qparams {
  if (has_nan(range)) { return Qparams(nan(), nan()); }
  let ends = safe_range(range);
  let low = ends.x;
  let high = ends.y;
#if MAPPING == TINYGEMM
  let scale = span_scale(low, high, rule);
  return Qparams(scale, $ROUND(low + unfused($ROUND(scale * middle_of(rule)), rule.nothing)));
#endif
#if MAPPING == INT4
  // With the lowest number or, with MIDDLE, the value of code 8.
  let scale = at_least(span_step(low, high, 15.0), divide(rule.eps, 15.0));
#if MIDDLE
  return Qparams(scale, low + unfused(scale * 8.0, rule.nothing));
#else
  return Qparams(scale, low);
#endif
#endif
#if MAPPING == INT4_SYMMETRIC
  return Qparams(max(max(-low, high), rule.eps) * 0.125, 0.0);
#endif
}
