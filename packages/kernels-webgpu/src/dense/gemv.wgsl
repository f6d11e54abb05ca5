// After numbers.wgsl and stored.wgsl. y = x @ weight^T + bias for up to $M rows of x. A workgroup makes $ROWS
// columns of y: its threads walk along K, 16 bytes of each row of the weight at a time, and sum up at the end.
@group(0) @binding(0) var<storage, read> x: array<${X}_4>;
@group(0) @binding(1) var<storage, read> weight: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
#if BIAS
@group(0) @binding(3) var<storage, read> bias: array<u32>;
#endif

// `weight` is rows `first` to `first + rows` of all n.
struct Params { m: u32, n: u32, first: u32, rows: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const THREADS = ${THREADS}u;
const ROWS = ${ROWS}u;
const SUMS = ${M}u * ROWS;
const CHUNKS = ${CHUNKS}u; // of 16 bytes, in a row

var<workgroup> partial: array<f32, THREADS * SUMS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
#if SUBGROUPS
        @builtin(subgroup_size) subgroup_size: u32, @builtin(subgroup_invocation_id) subgroup_lane: u32,
#endif
        @builtin(local_invocation_index) lane: u32) {
  let row0 = (group.y * groups.x + group.x) * ROWS;
  if (row0 >= params.rows) { return; }
#for m in 0..M
  let x$m = min(${m}u, params.m - 1u) * CHUNKS * ${QUADS}u;
#for r in 0..ROWS
  var sum_${m}_$r = 0.0;
#end
#end
  for (var c = lane; c < CHUNKS; c += THREADS) {
#for m in 0..M
#for q in 0..QUADS
    let a_${m}_$q = ${X}_load(x[x$m + c * ${QUADS}u + ${q}u]);
#end
#end
#for r in 0..ROWS
    {
      let w = weight[min(row0 + ${r}u, params.rows - 1u) * CHUNKS + c];
#if QUADS == 1
      let w0 = ${W}_load(w);
#else
      let w0 = ${W}_load(w.xy);
      let w1 = ${W}_load(w.zw);
#endif
#for m in 0..M
#for q in 0..QUADS
      sum_${m}_$r += dot(a_${m}_$q, w$q);
#end
#end
    }
#end
  }
#if SUBGROUPS
  let parts = THREADS / subgroup_size;
#for m in 0..M
#for r in 0..ROWS
  sum_${m}_$r = subgroupAdd(sum_${m}_$r);
#end
#end
  if (subgroup_lane == 0u) {
    let part = lane / subgroup_size * SUMS;
#for m in 0..M
#for r in 0..ROWS
    partial[part + ${m}u * ROWS + ${r}u] = sum_${m}_$r;
#end
#end
  }
  workgroupBarrier();
#else
  let parts = 1u;
#for m in 0..M
#for r in 0..ROWS
  partial[lane * SUMS + ${m}u * ROWS + ${r}u] = sum_${m}_$r;
#end
#end
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    for (var i = lane; i < half * SUMS; i += THREADS) { partial[i] += partial[i + half * SUMS]; }
  }
  workgroupBarrier();
#endif
  // One thread for four neighbours of a row of y.
  let m = lane / (ROWS / 4u);
  let row = row0 + lane % (ROWS / 4u) * 4u;
  if (m >= params.m || m >= ${M}u) { return; }
  var sum = vec4f();
  for (var part = 0u; part < parts; part++) {
    let at = part * SUMS + m * ROWS + row - row0;
    sum += vec4f(partial[at], partial[at + 1u], partial[at + 2u], partial[at + 3u]);
  }
  let column = params.first + row;
#if BIAS
  sum += vec4f(bias_at(column), bias_at(column + 1u), bias_at(column + 2u), bias_at(column + 3u));
#endif
  let at = m * params.n + column;
#if Y == float32
#for j in 0..4
  if (row + ${j}u < params.rows) { y[at + ${j}u] = bitcast<u32>(sum[$j]); }
#end
#else
  if (row >= params.rows) { return; }
  let words = ${Y}_store(sum);
  y[at / 2u] = words.x;
  y[at / 2u + 1u] = words.y;
#endif
}
#if BIAS

fn bias_at(i: u32) -> f32 { return ${BIAS}_at(bias[min(i, params.n - 1u) / ${BIAS}_per_word], i); }
#endif
