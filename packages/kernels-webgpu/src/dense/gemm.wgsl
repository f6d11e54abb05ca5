// After numbers.wgsl and stored.wgsl. y = a @ b + bias, or a @ b^T where b is a weight (N, K). A workgroup makes
// 64 x 64 of y, a thread 4 x 4 of these: rows ty + 16 i, columns tx + 16 j. Tiles of 16 along K are held in shared
// memory.
#if VECTORS
@group(0) @binding(0) var<storage, read> a: array<${A}_4>;
@group(0) @binding(1) var<storage, read> b: array<${B}_4>;
#else
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
#endif
@group(0) @binding(2) var<storage, read_write> y: array<$Y>;
#if BIAS
@group(0) @binding(3) var<storage, read> bias: array<u32>;
#endif

// `b` makes columns `first` to `first + columns` of all n. One product for each workgroup_id.z.
struct Params { m: u32, n: u32, k: u32, first: u32, columns: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const STRIDE = 5u; // quads of a row of a tile: one more than it has, so that rows are in different banks
var<workgroup> a_tile: array<vec4f, 64u * STRIDE>;
var<workgroup> b_tile: array<vec4f, 64u * STRIDE>;

#if !VECTORS
fn a_at(i: u32) -> f32 { return ${A}_at(a[i / ${A}_per_word], i); }
fn b_at(i: u32) -> f32 { return ${B}_at(b[i / ${B}_per_word], i); }
#endif
#if BIAS
fn bias_at(i: u32) -> f32 { return ${BIAS}_at(bias[i / ${BIAS}_per_word], i); }
#endif

// Elements k to k + 4 of a row of a.
fn load_a(batch: u32, row: u32, k: u32) -> vec4f {
  var quad = vec4f();
  if (row >= params.m) { return quad; }
  let at = (batch * params.m + row) * params.k + k;
#if VECTORS
  if (k < params.k) { quad = ${A}_load(a[at / 4u]); }
#else
#for j in 0..4
  if (k + ${j}u < params.k) { quad[$j] = a_at(at + ${j}u); }
#end
#endif
  return quad;
}

// Elements k to k + 4 of a column of b.
fn load_b(batch: u32, column: u32, k: u32) -> vec4f {
  var quad = vec4f();
  if (column >= params.columns) { return quad; }
#if VECTORS
  if (k < params.k) { quad = ${B}_load(b[(column * params.k + k) / 4u]); }
#else
#for j in 0..4
#if TRANSPOSED
  if (k + ${j}u < params.k) { quad[$j] = b_at(column * params.k + k + ${j}u); }
#else
  if (k + ${j}u < params.k) { quad[$j] = b_at((batch * params.k + k + ${j}u) * params.n + column); }
#endif
#end
#endif
  return quad;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row0 = group.y * 64u;
  let column0 = group.x * 64u;
  let tx = lane % 16u;
  let ty = lane / 16u;
#for i in 0..4
#for j in 0..4
  var sum_${i}_$j = 0.0;
#end
#end
  // Neighbours in memory go to neighbouring threads.
  let a_row = lane / 4u;
  let a_quad = lane % 4u;
#if TRANSPOSED
  let b_row = a_row;
  let b_quad = a_quad;
#else
  let b_row = lane % 64u;
  let b_quad = lane / 64u;
#endif
  for (var k = 0u; k < params.k; k += 16u) {
    a_tile[a_row * STRIDE + a_quad] = load_a(group.z, row0 + a_row, k + 4u * a_quad);
    b_tile[b_row * STRIDE + b_quad] = load_b(group.z, column0 + b_row, k + 4u * b_quad);
    workgroupBarrier();
    for (var q = 0u; q < 4u; q++) {
#for i in 0..4
      let a$i = a_tile[(ty + 16u * ${i}u) * STRIDE + q];
      let b$i = b_tile[(tx + 16u * ${i}u) * STRIDE + q];
#end
#for i in 0..4
#for j in 0..4
      sum_${i}_$j += dot(a$i, b$j);
#end
#end
    }
    workgroupBarrier();
  }
#for j in 0..4
  {
    let column = column0 + tx + 16u * ${j}u;
    if (column < params.columns) {
#if BIAS
      let shift = bias_at(params.first + column);
#else
      let shift = 0.0;
#endif
#for i in 0..4
      {
        let row = row0 + ty + 16u * ${i}u;
        if (row < params.m) {
          y[(group.z * params.m + row) * params.n + params.first + column] = $Y(sum_${i}_$j + shift);
        }
      }
#end
    }
  }
#end
}
