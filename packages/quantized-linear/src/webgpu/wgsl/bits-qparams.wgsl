// A decoder's scales: scale and zero are (N, K / g), or lie along N as (K / g, N). Levels are LEVEL_OFF less than
// codes.
const LEVEL_OFF = f32(${LEVEL_OFF});

#if ALONG_N
fn group_at(row: u32, group: u32) -> u32 { return group * N + row; }
#else
fn group_at(row: u32, group: u32) -> u32 { return row * GROUPS + group; }
#endif

fn zero_level(row: u32, group: u32) -> f32 { return zero1(group_at(row, group)) - LEVEL_OFF; }

fn qparams(row: u32, group: u32) -> Qparams {
#if ALONG_N
  let at = group_at(row, group);
  let scale = scale4(at);
  let zero = zero4(at);
#else
#for r in 0..4
  let at$r = group_at(min(row + ${r}u, N - 1u), group);
#end
  let scale = vec4f(scale1(at0), scale1(at1), scale1(at2), scale1(at3));
  let zero = vec4f(zero1(at0), zero1(at1), zero1(at2), zero1(at3));
#endif
  return Qparams(scale, -scale * (zero - LEVEL_OFF));
}

fn value_of(row: u32, group: u32, level: f32) -> f32 {
  let at = group_at(row, group);
  return (level + LEVEL_OFF - zero1(at)) * scale1(at);
}
