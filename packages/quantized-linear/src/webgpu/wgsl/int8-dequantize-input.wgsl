// Alone. What int8 codes of an input stand for: rows of codes in whole 16 bytes, of each its scale and zero point.
@group(0) @binding(0) var<storage, read> codes: array<u32>;
@group(0) @binding(1) var<storage, read> tokens: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

struct Params { rows: u32, k: u32 }
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  let row = i / params.k;
  if (row >= params.rows) { return; }
  let k = i % params.k;
  let word = codes[row * ((params.k + 15u) / 16u * 4u) + k / 4u];
  let code = f32(extractBits(bitcast<i32>(word), k % 4u * 8u, 8u));
  y[i] = (code - tokens[row].y) * tokens[row].x;
}
