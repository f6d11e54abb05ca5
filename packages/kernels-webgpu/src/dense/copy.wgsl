// Alone. A strided window of elements of $SIZE bytes into another.
@group(0) @binding(0) var<storage, read> from_: array<u32>;
#if SCATTER
@group(0) @binding(1) var<storage, read_write> to_: array<atomic<u32>>;
#else
@group(0) @binding(1) var<storage, read_write> to_: array<u32>;
#endif

// Sizes and strides from the last dimension on; offsets and strides in elements.
struct Params {
  n: u32,
  from_offset: u32,
  to_offset: u32,
  padding: u32,
  shape: array<vec4u, 2>,
  from_strides: array<vec4u, 2>,
  to_strides: array<vec4u, 2>,
}
@group(1) @binding(0) var<uniform> params: Params;

// Where element i of the window lies in both storages.
fn place(i: u32) -> vec2u {
  var rest = i;
  var at = vec2u(params.from_offset, params.to_offset);
#for d in 0..RANK
  {
    let size = params.shape[$d / 4][$d % 4];
    let index = rest % size;
    rest = rest / size;
    at += index * vec2u(params.from_strides[$d / 4][$d % 4], params.to_strides[$d / 4][$d % 4]);
  }
#end
  return at;
}

const PER_WORD = 4u / $SIZE;
const BITS = 8u * $SIZE;

fn load(at: u32) -> u32 {
#if SIZE == 4
  return from_[at];
#else
  return extractBits(from_[at / PER_WORD], BITS * (at % PER_WORD), BITS);
#endif
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
#if SCATTER
  // Elements may share a word with others that are written at the same time.
  if (i >= params.n) { return; }
  let at = place(i);
  let shift = BITS * (at.y % PER_WORD);
  atomicAnd(&to_[at.y / PER_WORD], ~(((1u << BITS) - 1u) << shift));
  atomicOr(&to_[at.y / PER_WORD], load(at.x) << shift);
#else
#if SIZE == 4
  if (i >= params.n) { return; }
  let at = place(i);
  to_[at.y] = load(at.x);
#else
  // A thread writes one word; the target is contiguous and begins at a word.
  if (i * PER_WORD >= params.n) { return; }
  var word = 0u;
  for (var j = 0u; j < PER_WORD; j++) {
    word |= load(place(min(i * PER_WORD + j, params.n - 1u)).x) << (BITS * j);
  }
  to_[params.to_offset / PER_WORD + i] = word;
#endif
#endif
}
