// After numbers.wgsl, stored.wgsl and reduce.wgsl. sum = x + y, and sum / sqrt(mean(sum^2) + eps) * weight. A
// workgroup makes one row. With OFFSET, the weight is OFFSET + weight, and what it multiplies is not rounded
// before.
@group(0) @binding(0) var<storage, read> x: array<${X}_4>;
@group(0) @binding(1) var<storage, read> y: array<${X}_4>;
@group(0) @binding(2) var<storage, read> weight: array<${X}_4>;
@group(0) @binding(3) var<storage, read_write> sums: array<${X}_4>;
@group(0) @binding(4) var<storage, read_write> normed: array<${X}_4>;

struct Params { rows: u32, size: u32, eps: f32 }
#if ONE_ROW
const params = Params(1u, ${SIZE}u, $EPS); // a step of decoding, which begins earlier when it reads none
#else
@group(1) @binding(0) var<uniform> params: Params;
#endif

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
#if SUBGROUPS
        @builtin(subgroup_size) subgroup: u32,
#endif
        @builtin(local_invocation_index) lane: u32) {
#if !SUBGROUPS
  let subgroup = 1u;
#endif
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) { return; }
  let count = params.size / 4u;
  let start = row * count;
  var squares = 0.0;
  for (var i = lane; i < count; i += THREADS) {
    let stored = ${X}_store(${X}_load(x[start + i]) + ${X}_load(y[start + i]));
    sums[start + i] = stored;
    let sum = ${X}_load(stored);
    squares += dot(sum, sum);
  }
  let mean = workgroup_sum(squares, lane, subgroup) / f32(params.size);
  let inverse = 1.0 / sqrt(mean + params.eps);
  // Each thread reads what it wrote itself.
  for (var i = lane; i < count; i += THREADS) {
#if OFFSET
    let value = ${X}_load(sums[start + i]) * inverse;
    normed[start + i] = ${X}_store(value * (${OFFSET} + ${X}_load(weight[i])));
#else
    let value = ${X}_round(${X}_load(sums[start + i]) * inverse);
    normed[start + i] = ${X}_store(value * ${X}_load(weight[i]));
#endif
  }
}
