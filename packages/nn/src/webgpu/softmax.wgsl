// After reduce.wgsl. exp(x) / sum(exp(x)) of lines of `size` elements that are `stride` apart. A workgroup makes
// one line.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

struct Params { lines: u32, size: u32, stride: u32 }
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
#if SUBGROUPS
        @builtin(subgroup_size) subgroup: u32,
#endif
        @builtin(local_invocation_index) lane: u32) {
#if !SUBGROUPS
  let subgroup = 1u;
#endif
  let line = group.y * groups.x + group.x;
  if (line >= params.lines) { return; }
  let start = line / params.stride * params.stride * params.size + line % params.stride;
  var most = -3.4e38;
  for (var i = lane; i < params.size; i += THREADS) { most = max(most, x[start + i * params.stride]); }
  most = workgroup_max(most, lane, subgroup);
  var sum = 0.0;
  for (var i = lane; i < params.size; i += THREADS) { sum += exp(x[start + i * params.stride] - most); }
  sum = workgroup_sum(sum, lane, subgroup);
  for (var i = lane; i < params.size; i += THREADS) {
    let at = start + i * params.stride;
    y[at] = exp(x[at] - most) / sum;
  }
}
