// After numbers.wgsl. What int8 codes of an input stand for: rows of codes in whole 16 bytes, of each its scale and
// zero point. With HALF in float16, K being even.
@group(0) @binding(0) var<storage, read> codes: array<u32>;
@group(0) @binding(1) var<storage, read> tokens: array<vec4f>;
#if HALF
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
#else
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#endif

struct Params { rows: u32, k: u32 }
@group(1) @binding(0) var<uniform> params: Params;

fn value(row: u32, k: u32) -> f32 {
  let word = codes[row * ((params.k + 15u) / 16u * 4u) + k / 4u];
  let code = f32(extractBits(bitcast<i32>(word), k % 4u * 8u, 8u));
  return (code - tokens[row].y) * tokens[row].x;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
#if HALF
  let row = 2u * i / params.k;
  let k = 2u * i % params.k;
  if (row >= params.rows) { return; }
  y[i] = f16_bits(value(row, k)) | (f16_bits(value(row, k + 1u)) << 16u);
#else
  let row = i / params.k;
  if (row >= params.rows) { return; }
  y[i] = value(row, i % params.k);
#endif
}
