// Many rows of the input, multiplied as matrices of subgroups: a workgroup makes M_TILE rows of the output by
// N_TILE columns, from PARTS pieces along K at a time, which both lie in shared memory as $H. Each subgroup
// sums up M_PART x N_PART of them in f32. What comes next is loaded while matrices are multiplied.
//
// Shared memory is cut into the parts of subgroups, and all is in one function: so compilers see that no place
// is outside of an array. Where they do not, they check each access, which halves the speed.
const THREADS = ${THREADS}u;
const SUBGROUP = ${SUBGROUP}u;
const M_TILE = ${M_TILE}u;
const N_TILE = ${N_TILE}u;
const M_PART = ${M_PART}u;
const N_PART = ${N_PART}u;
const M_SHAPE = ${M_SHAPE}u;
const N_SHAPE = ${N_SHAPE}u;
const K_SHAPE = ${K_SHAPE}u;
const PARTS = ${PARTS}u;
const STEPS = PIECES / PARTS;
const STRIDE = 32u * PARTS + 8u; // of rows in shared memory: they begin in different banks
const BUFFERS = ${BUFFERS}u;
const W_TASKS = N_TILE * PARTS; // one word of each of four rows of the weight
const X_TASKS = 4u * M_TILE * PARTS; // eight numbers of the input

var<workgroup> x_tile: array<array<array<H, M_PART * STRIDE>, M_TILE / M_PART>, BUFFERS>;
var<workgroup> w_tile: array<array<array<H, N_PART * STRIDE>, N_TILE / N_PART>, BUFFERS>;
var<workgroup> results: array<array<f32, M_SHAPE * N_SHAPE>, THREADS / SUBGROUP>;

#if H == f32
// What matrices of subgroups do, by each thread, to test what is around them.
struct Left { v: array<f32, M_SHAPE * K_SHAPE> }
struct Right { v: array<f32, K_SHAPE * N_SHAPE> }
struct Result { v: array<f32, M_SHAPE * N_SHAPE> }

fn load_left(buffer: u32, part: u32, at: u32) -> Left {
  var left: Left;
  for (var i = 0u; i < M_SHAPE * K_SHAPE; i++) { left.v[i] = x_tile[buffer][part][at + i / K_SHAPE * STRIDE + i % K_SHAPE]; }
  return left;
}

fn load_right(buffer: u32, part: u32, at: u32) -> Right {
  var right: Right;
  for (var i = 0u; i < K_SHAPE * N_SHAPE; i++) { right.v[i] = w_tile[buffer][part][at + i % N_SHAPE * STRIDE + i / N_SHAPE]; }
  return right;
}

fn multiply_add(left: Left, right: Right, sums: Result) -> Result {
  var x = left;
  var w = right;
  var result = sums;
  for (var i = 0u; i < M_SHAPE * N_SHAPE * K_SHAPE; i++) {
    let k = i % K_SHAPE;
    let at = i / K_SHAPE;
    result.v[at] += x.v[at / N_SHAPE * K_SHAPE + k] * w.v[k * N_SHAPE + at % N_SHAPE];
  }
  return result;
}

fn store(subgroup: u32, sums: Result) {
  var result = sums;
  for (var i = 0u; i < M_SHAPE * N_SHAPE; i++) { results[subgroup][i] = result.v[i]; }
}
#endif

fn word_of_four(row: u32, piece: u32, i: u32) -> vec4u {
  return vec4u(word(row, piece, i), word(row + 1u, piece, i), word(row + 2u, piece, i), word(row + 3u, piece, i));
}

#if H == f16
// Places in shared memory follow from `subgroup`, which is uniform though it is not seen to be.
@diagnostic(off, chromium.subgroup_matrix_uniformity)
#endif
@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let m0 = group.x * M_TILE;
  let row0 = group.y * N_TILE;
  let subgroup = thread / SUBGROUP;
  let own_m = subgroup / (N_TILE / N_PART);
  let own_n = subgroup % (N_TILE / N_PART);
#for i in 0..M_STEPS
#for j in 0..N_STEPS
#if H == f32
  var sums_${i}_$j: Result;
#else
  var sums_${i}_$j = subgroup_matrix_result<f32, $N_SHAPE, $M_SHAPE>();
#endif
#end
#end
#for t in 0..W_ROUNDS
  let w_task$t = (thread + ${t}u * THREADS) % W_TASKS;
  let w_word$t = w_task$t % 4u;
  let w_piece$t = w_task$t / 4u % PARTS;
  let w_quad$t = w_task$t / (4u * PARTS);
  let w_row$t = min(row0 + 4u * w_quad$t, (params.rows - 1u) / 4u * 4u);
  let w_part$t = w_quad$t / (N_PART / 4u);
  let w_at$t = w_quad$t % (N_PART / 4u) * 4u * STRIDE + w_piece$t * 32u + w_word$t * ${WORD_STEP}u;
  var bits$t = word_of_four(w_row$t, w_piece$t, w_word$t);
  var q$t = qparams(params.first + w_row$t, w_piece$t / GROUP_PIECES);
#end
#for t in 0..X_ROUNDS
  let x_task$t = (thread + ${t}u * THREADS) % X_TASKS;
  let x_m$t = x_task$t / (4u * PARTS);
  let x_part$t = x_m$t / M_PART;
  let x_at$t = x_m$t % M_PART * STRIDE + x_task$t % (4u * PARTS) * 8u;
  let x_first$t = min(m0 + x_m$t, params.m - 1u) * PIECES * 4u + x_task$t % (4u * PARTS);
  var x$t = eight(x_first$t);
#end
  for (var step = 0u; step < STEPS; step++) {
    let buffer = step % BUFFERS;
#for t in 0..W_ROUNDS
#if W_REST
    if (thread + ${t}u * THREADS < W_TASKS) {
#else
    {
#endif
#for r in 0..4
      {
        let bits = bits$t[$r];
#if HALF_QPARAMS
        let scale = vec2<H>(H(q$t.scale[$r]));
        let zero = vec2<H>(H(q$t.zero[$r]));
        let two0 = fma(first_pair(bits), scale, zero);
        let two1 = fma(second_pair(bits), scale, zero);
        let two2 = fma(first_pair(bits >> 8u), scale, zero);
        let two3 = fma(second_pair(bits >> 8u), scale, zero);
#else
        let zero = q$t.zero[$r] - 24.0 * q$t.scale[$r];
        let low = vec4<H>(low_codes(bits) * q$t.scale[$r] + zero);
        let high = vec4<H>(high_codes(bits) * q$t.scale[$r] + zero);
#for j in 0..4
        let two$j = vec2<H>(low[$j], high[$j]);
#end
#endif
#for j in 0..4
        w_tile[buffer][w_part$t][w_at$t + ${r}u * STRIDE + ${NIBBLE_STEP}u * ${j}u] = two$j.x;
        w_tile[buffer][w_part$t][w_at$t + ${r}u * STRIDE + ${NIBBLE_STEP}u * ${j}u + ${HALF_STEP}u] = two$j.y;
#end
      }
#end
    }
#end
#for t in 0..X_ROUNDS
#if X_REST
    if (thread + ${t}u * THREADS < X_TASKS) {
#else
    {
#endif
#for c in 0..4
      x_tile[buffer][x_part$t][x_at$t + ${c}u] = x$t.low[$c];
#end
#for c in 0..4
      x_tile[buffer][x_part$t][x_at$t + ${c}u + 4u] = x$t.high[$c];
#end
    }
#end
    workgroupBarrier();
    let next = min(step + 1u, STEPS - 1u) * PARTS;
#for t in 0..W_ROUNDS
    bits$t = word_of_four(w_row$t, next + w_piece$t, w_word$t);
    q$t = qparams(params.first + w_row$t, (next + w_piece$t) / GROUP_PIECES);
#end
#for t in 0..X_ROUNDS
    x$t = eight(x_first$t + 4u * next);
#end
#for k in 0..K_STEPS
    {
#for i in 0..M_STEPS
#if H == f32
      let left$i = load_left(buffer, own_m, ${i}u * M_SHAPE * STRIDE + ${k}u * K_SHAPE);
#else
      let left$i = subgroupMatrixLoad<subgroup_matrix_left<f16, $K_SHAPE, $M_SHAPE>, row_major>(
        &x_tile[buffer][own_m], ${i}u * M_SHAPE * STRIDE + ${k}u * K_SHAPE, STRIDE);
#endif
#end
#for j in 0..N_STEPS
#if H == f32
      let right$j = load_right(buffer, own_n, ${j}u * N_SHAPE * STRIDE + ${k}u * K_SHAPE);
#else
      let right$j = subgroupMatrixLoad<subgroup_matrix_right<f16, $N_SHAPE, $K_SHAPE>, col_major>(
        &w_tile[buffer][own_n], ${j}u * N_SHAPE * STRIDE + ${k}u * K_SHAPE, STRIDE);
#endif
#for i in 0..M_STEPS
#if H == f32
      sums_${i}_$j = multiply_add(left$i, right$j, sums_${i}_$j);
#else
      sums_${i}_$j = subgroupMatrixMultiplyAccumulate(left$i, right$j, sums_${i}_$j);
#endif
#end
#end
    }
#end
#if BUFFERS == 1
    workgroupBarrier();
#endif
  }
  let lane = thread % SUBGROUP;
#for i in 0..M_STEPS
#for j in 0..N_STEPS
#if H == f32
  if (lane == 0u) { store(subgroup, sums_${i}_$j); }
#else
  subgroupMatrixStore<row_major>(&results[subgroup], 0u, sums_${i}_$j, N_SHAPE);
#endif
  workgroupBarrier();
#for t in 0..Y_ROUNDS
  {
    let task = lane + ${t}u * SUBGROUP;
    let m = m0 + own_m * M_PART + ${i}u * M_SHAPE + task / (N_SHAPE / 4u);
    let row = row0 + own_n * N_PART + ${j}u * N_SHAPE + task % (N_SHAPE / 4u) * 4u;
    if (task < M_SHAPE * N_SHAPE / 4u && m < params.m && row < params.rows) {
      let at = 4u * task;
      let four = vec4f(results[subgroup][at], results[subgroup][at + 1u], results[subgroup][at + 2u], results[subgroup][at + 3u]);
      write(m, params.first + row, params.first + params.rows, four);
    }
  }
#end
  workgroupBarrier();
#end
#end
}
