// After format.wgsl. Scales of blocks from the ranges of their parts, one a thread.
@group(0) @binding(0) var<storage, read> ranges: array<vec2i>;
@group(0) @binding(1) var<storage, read_write> scales: array<f32>;

struct Params { count: u32, parts: u32 }
@group(1) @binding(0) var<uniform> params: Params;

fn magnitude_of(order: i32) -> u32 { return bitcast<u32>(value_of(order)) & 0x7fffffffu; }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let block = (group.y * groups.x + group.x) * 64u + thread;
  if (block >= params.count) { return; }
  let first = block * params.parts;
  var range = ranges[first];
  for (var i = 1u; i < params.parts; i++) { range = wider(range, ranges[first + i]); }
  scales[block] = scale_of_peak(max(magnitude_of(range.x), magnitude_of(range.y)));
}
