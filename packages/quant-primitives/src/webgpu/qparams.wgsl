// After affine-rules.wgsl or int4-rules.wgsl. Scales and zero points of blocks from the ranges of their parts:
// four blocks a thread, which are whole words.
@group(0) @binding(0) var<storage, read> ranges: array<vec2i>;
@group(0) @binding(1) var<storage, read_write> scales: array<u32>;
@group(0) @binding(2) var<storage, read_write> zeros: array<u32>;

struct Params { rule: Rule, count: u32, parts: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const SCALE_SIZE = ${SCALE_SIZE}u;
const ZERO_SIZE = ${ZERO_SIZE}u;

fn qparams_at(block: u32) -> Qparams {
  let first = block * params.parts;
  var range = ranges[first];
  for (var i = 1u; i < params.parts; i++) { range = wider(range, ranges[first + i]); }
  return qparams_of(range, params.rule);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let start = ((group.y * groups.x + group.x) * 64u + thread) * 4u;
  var scale = 0u;
  var zero = 0u;
  for (var i = start; i < min(start + 4u, params.count); i++) {
    let qparams = qparams_at(i);
    scale |= bits_$SCALE(qparams.scale) << (8u * SCALE_SIZE * i % 32u);
    zero |= bits_$ZERO(qparams.zero) << (8u * ZERO_SIZE * i % 32u);
    let next = i + 1u;
    if (next * SCALE_SIZE % 4u == 0u || next == params.count) { scales[i * SCALE_SIZE / 4u] = scale; scale = 0u; }
    if (next * ZERO_SIZE % 4u == 0u || next == params.count) { zeros[i * ZERO_SIZE / 4u] = zero; zero = 0u; }
  }
}
