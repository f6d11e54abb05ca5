// After numbers.wgsl, stored.wgsl and reduce.wgsl. Rows divided by their root mean square, or by their standard
// deviation once the mean is taken off, then scaled and shifted. A workgroup makes one row.
#if VECTORS
@group(0) @binding(0) var<storage, read> x: array<${X}_4>;
@group(0) @binding(1) var<storage, read_write> y: array<${Y}_4>;
#else
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#endif
#if WEIGHT
@group(0) @binding(2) var<storage, read> weight: array<u32>;
#endif
#if BIAS
@group(0) @binding(3) var<storage, read> bias: array<u32>;
#endif

struct Params { rows: u32, size: u32, eps: f32 }
@group(1) @binding(0) var<uniform> params: Params;

#if VECTORS
const WIDTH = 4u;
alias Part = vec4f;
fn part(i: u32) -> Part { return ${X}_load(x[i]); }
fn total(x: Part) -> f32 { return x.x + x.y + x.z + x.w; }
fn rounded(x: Part) -> Part { return ${ROUND}_round(x); }
fn put(i: u32, value: Part) { y[i] = ${Y}_store(value); }
#else
const WIDTH = 1u;
alias Part = f32;
fn part(i: u32) -> Part { return x[i]; }
fn total(x: Part) -> f32 { return x; }
fn rounded(x: Part) -> Part { return ${ROUND}_round(vec4f(x)).x; }
fn put(i: u32, value: Part) { y[i] = value; }
#endif

#if WEIGHT
#if OFFSET
fn weight_at(i: u32) -> f32 { return ${OFFSET} + ${WEIGHT}_at(weight[i / ${WEIGHT}_per_word], i); }
#else
fn weight_at(i: u32) -> f32 { return ${WEIGHT}_at(weight[i / ${WEIGHT}_per_word], i); }
#endif
#endif
#if BIAS
fn bias_at(i: u32) -> f32 { return ${BIAS}_at(bias[i / ${BIAS}_per_word], i); }
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
  let count = params.size / WIDTH;
  let start = row * count;
  var mean = 0.0;
#if CENTERED
  var sum = 0.0;
  for (var i = lane; i < count; i += THREADS) { sum += total(part(start + i)); }
  mean = workgroup_sum(sum, lane, subgroup) / f32(params.size);
#endif
  var squares = 0.0;
  for (var i = lane; i < count; i += THREADS) {
    let value = part(start + i) - mean;
    squares += total(value * value);
  }
  let square = workgroup_sum(squares, lane, subgroup) / f32(params.size);
  let inverse = 1.0 / sqrt(square + params.eps);
  for (var i = lane; i < count; i += THREADS) {
    var value = (part(start + i) - mean) * inverse;
    value = rounded(value);
#if WEIGHT
#if VECTORS
    value *= vec4f(weight_at(4u * i), weight_at(4u * i + 1u), weight_at(4u * i + 2u), weight_at(4u * i + 3u));
#else
    value *= weight_at(i);
#endif
#endif
#if BIAS
#if VECTORS
    value += vec4f(bias_at(4u * i), bias_at(4u * i + 1u), bias_at(4u * i + 2u), bias_at(4u * i + 3u));
#else
    value += bias_at(i);
#endif
#endif
    put(start + i, value);
  }
}
