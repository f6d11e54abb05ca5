// After range-to-qparams.wgsl, before qparams.wgsl. The rules of mappings, as `qparams-rules.ts` has them.
fn qparams_of(range: vec2i, rule: Rule) -> Qparams {
#if MAPPING == ASYMMETRIC
  if (has_nan(range)) { return Qparams(nan(), nan()); }
#else
  let zero = $ROUND(trunc(middle_of(rule)));
  if (has_nan(range)) { return Qparams(nan(), zero); }
#endif
  let ends = safe_range(range);
#if WITH_ZERO
  let low = min(ends.x, 0.0);
  let high = max(ends.y, 0.0);
#else
  let low = ends.x;
  let high = ends.y;
#endif
#if MAPPING == SYMMETRIC
  let half_span = (rule.quant_max - rule.quant_min) * 0.5;
  let scale = $ROUND(divide(max(-low, high), half_span));
#endif
#if MAPPING == SYMMETRIC_NO_CLIPPING_ERR
  let from_low = $ROUND(divide(low, rule.quant_min));
  var scale = $ROUND(divide(high, rule.quant_max));
  if (!is_nan(from_low) && !is_nan(scale)) { scale = max(from_low, scale); }
#endif
#if MAPPING == ASYMMETRIC
  let scale = span_scale(low, high, rule);
  let below_zero = round($ROUND(divide(low, scale)));
  let zero = clamp_code($ROUND(rule.quant_min - below_zero), $ROUND(rule.quant_min), $ROUND(rule.quant_max));
#endif
  return Qparams(at_least(scale, rule.eps), zero);
}
