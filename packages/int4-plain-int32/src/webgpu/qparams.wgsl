// After int4.wgsl of @ao/quantized-linear. A decoder's scales: scale and zero are (K / g, N). The zero point
// counts from code 0 on an XPU, and from code 8 on an NPU, whose codes are signed.
#if SIGNED
const MIDDLE = 0.0;
#else
const MIDDLE = 8.0;
#endif

fn qparams(row: u32, group: u32) -> Qparams {
  let at = group * N + row;
  let scale = scale4(at);
  return Qparams(scale, (MIDDLE - zero4(at)) * scale);
}

fn value_of(row: u32, group: u32, level: f32) -> f32 {
  let at = group * N + row;
  return (level + MIDDLE - zero1(at)) * scale1(at);
}
