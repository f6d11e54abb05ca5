// After floats.wgsl. A tensor of $PART_DTYPE that kernels call PART: its elements as floats.
#if PART_FOURS
#if PART_SIZE == 4
alias PART_word = vec4u;
#endif
#if PART_SIZE == 2
alias PART_word = vec2u;
#endif
#if PART_SIZE == 1
alias PART_word = u32;
#endif
#else
alias PART_word = u32;
#endif

@group(0) @binding($PART_BINDING) var<storage, read> PART_: array<PART_word>;
#if PART_second
@group(0) @binding($PART_second_BINDING) var<storage, read> PART_second_: array<PART_word>;

fn PART_at(i: u32) -> PART_word {
  if (is_second) { return PART_second_[i]; }
  return PART_[i];
}
#else
fn PART_at(i: u32) -> PART_word { return PART_[i]; }
#endif

#if PART_FOURS
// Elements i to i + 3; i is a multiple of 4.
fn PART4(i: u32) -> vec4f { return ${PART_DTYPE}_four(PART_at(i / 4u)); }
fn PART1(i: u32) -> f32 { return PART4(i)[i % 4u]; }
#else
fn PART1(i: u32) -> f32 {
  let word = PART_at(i * ${PART_SIZE}u / 4u) >> (8u * (i * ${PART_SIZE}u % 4u));
#if PART_SIZE == 4
  return ${PART_DTYPE}_four(vec4u(word)).x;
#endif
#if PART_SIZE == 2
  return ${PART_DTYPE}_four(vec2u(word)).x;
#endif
#if PART_SIZE == 1
  return ${PART_DTYPE}_four(word).x;
#endif
}
fn PART4(i: u32) -> vec4f {
  return vec4f(PART1(i), PART1(i + 1u), PART1(i + 2u), PART1(i + 3u));
}
#endif
