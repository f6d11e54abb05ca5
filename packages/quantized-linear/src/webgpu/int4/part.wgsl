// PART: a tensor of $PART_DTYPE, its elements as floats.
#if PART_FOURS
#if PART_SIZE == 4
@group(0) @binding($PART_BINDING) var<storage, read> PART_: array<vec4u>;
#endif
#if PART_SIZE == 2
@group(0) @binding($PART_BINDING) var<storage, read> PART_: array<vec2u>;
#endif
#if PART_SIZE == 1
@group(0) @binding($PART_BINDING) var<storage, read> PART_: array<u32>;
#endif

// Elements i to i + 3; i is a multiple of 4.
fn PART4(i: u32) -> vec4f { return ${PART_DTYPE}_four(PART_[i / 4u]); }
fn PART1(i: u32) -> f32 { return PART4(i)[i % 4u]; }
#else
@group(0) @binding($PART_BINDING) var<storage, read> PART_: array<u32>;

fn PART1(i: u32) -> f32 {
  let word = PART_[i * ${PART_SIZE}u / 4u] >> (8u * (i * ${PART_SIZE}u % 4u));
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
