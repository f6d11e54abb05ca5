// A decoder's scales: scale and zero are (N, K / g). Levels are LEVEL_OFF less than codes.
const LEVEL_OFF = f32(${LEVEL_OFF});

fn zero_level(row: u32, group: u32) -> f32 { return zero1(row * GROUPS + group) - LEVEL_OFF; }

fn qparams(row: u32, group: u32) -> Qparams {
#for r in 0..4
  let at$r = min(row + ${r}u, N - 1u) * GROUPS + group;
#end
  let scale = vec4f(scale1(at0), scale1(at1), scale1(at2), scale1(at3));
  let zero = vec4f(zero1(at0), zero1(at1), zero1(at2), zero1(at3)) - LEVEL_OFF;
  return Qparams(scale, -scale * zero);
}

fn value_of(row: u32, group: u32, level: f32) -> f32 {
  return (level + LEVEL_OFF - zero1(row * GROUPS + group)) * scale1(row * GROUPS + group);
}
