// Many rows of the input, multiplied as matrices of subgroups: a workgroup makes M_TILE rows of the output by
// N_TILE columns, from PARTS pieces along K at a time, which both lie in shared memory as f16. Each subgroup
// sums up M_PART x N_PART of them in f32. What comes next is loaded while matrices are multiplied.
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
const STRIDE = 32u * PARTS + 8u; // of rows in shared memory: they begin in different banks
const SUBGROUPS = THREADS / SUBGROUP;

var<workgroup> x_tile: array<H, M_TILE * STRIDE>;
var<workgroup> w_tile: array<H, N_TILE * STRIDE>;
var<workgroup> results: array<f32, SUBGROUPS * M_SHAPE * N_SHAPE>;

// One word of each of four rows of the weight.
struct Words { bits: vec4u, q: Qparams }

fn load_words(task: u32, row0: u32, step: u32) -> Words {
  let i = task % 4u;
  let piece = step * PARTS + task / 4u % PARTS;
  let row = min(row0 + task / (4u * PARTS) * 4u, (params.rows - 1u) / 4u * 4u);
  let bits = vec4u(word(row, piece, i), word(row + 1u, piece, i), word(row + 2u, piece, i), word(row + 3u, piece, i));
  return Words(bits, qparams(params.first + row, piece / GROUP_PIECES));
}

fn store_words(task: u32, words: Words) {
  let zero = words.q.zero - 24.0 * words.q.scale;
  let first = task / (4u * PARTS) * 4u * STRIDE + task / 4u % PARTS * 32u + task % 4u * ${WORD_STEP}u;
#for r in 0..4
  {
    let at = first + ${r}u * STRIDE;
    let low = vec4<H>(low_codes(words.bits[$r]) * words.q.scale[$r] + zero[$r]);
    let high = vec4<H>(high_codes(words.bits[$r]) * words.q.scale[$r] + zero[$r]);
#for j in 0..4
    w_tile[at + ${NIBBLE_STEP}u * ${j}u] = low[$j];
    w_tile[at + ${NIBBLE_STEP}u * ${j}u + ${HALF_STEP}u] = high[$j];
#end
  }
#end
}

fn load_input(task: u32, m0: u32, step: u32) -> Eight {
  let m = min(m0 + task / (4u * PARTS), params.m - 1u);
  return eight((m * PIECES + step * PARTS) * 4u + task % (4u * PARTS));
}

fn store_input(task: u32, x: Eight) {
  let at = task / (4u * PARTS) * STRIDE + task % (4u * PARTS) * 8u;
#for c in 0..4
  x_tile[at + ${c}u] = x.low[$c];
  x_tile[at + ${c}u + 4u] = x.high[$c];
#end
}

#if H == f32
// What matrices of subgroups do, by each thread, to test what is around them.
struct Left { v: array<f32, M_SHAPE * K_SHAPE> }
struct Right { v: array<f32, K_SHAPE * N_SHAPE> }
struct Result { v: array<f32, M_SHAPE * N_SHAPE> }

fn load_left(at: u32) -> Left {
  var left: Left;
  for (var i = 0u; i < M_SHAPE * K_SHAPE; i++) { left.v[i] = x_tile[at + i / K_SHAPE * STRIDE + i % K_SHAPE]; }
  return left;
}

fn load_right(at: u32) -> Right {
  var right: Right;
  for (var i = 0u; i < K_SHAPE * N_SHAPE; i++) { right.v[i] = w_tile[at + i % N_SHAPE * STRIDE + i / N_SHAPE]; }
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

fn store(at: u32, sums: Result) {
  var result = sums;
  for (var i = 0u; i < M_SHAPE * N_SHAPE; i++) { results[at + i] = result.v[i]; }
}
#endif

#if H == f16
// Places in shared memory follow from `subgroup`, which is uniform though it is not seen to be.
@diagnostic(off, chromium.subgroup_matrix_uniformity)
#endif
@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32,
#if H == f16
        @builtin(subgroup_invocation_id) lane: u32) {
#else
        ) {
  let lane = thread % SUBGROUP;
#endif
  let row0 = group.x * N_TILE;
  let m0 = group.y * M_TILE;
  let subgroup = thread / SUBGROUP;
  let own_n = subgroup % (N_TILE / N_PART) * N_PART;
  let own_m = subgroup / (N_TILE / N_PART) * M_PART;
#for i in 0..M_STEPS
#for j in 0..N_STEPS
#if H == f32
  var sums_${i}_$j: Result;
#else
  var sums_${i}_$j = subgroup_matrix_result<f32, $N_SHAPE, $M_SHAPE>();
#endif
#end
#end
#for t in 0..W_TASKS
  var words$t = load_words(thread + ${t}u * THREADS, row0, 0u);
#end
#for t in 0..X_TASKS
  var input$t = load_input(thread + ${t}u * THREADS, m0, 0u);
#end
  for (var step = 0u; step < PIECES / PARTS; step++) {
#for t in 0..W_TASKS
    if (thread + ${t}u * THREADS < N_TILE * PARTS) { store_words(thread + ${t}u * THREADS, words$t); }
#end
#for t in 0..X_TASKS
    if (thread + ${t}u * THREADS < 4u * M_TILE * PARTS) { store_input(thread + ${t}u * THREADS, input$t); }
#end
    workgroupBarrier();
    let next = min(step + 1u, PIECES / PARTS - 1u);
#for t in 0..W_TASKS
    words$t = load_words(thread + ${t}u * THREADS, row0, next);
#end
#for t in 0..X_TASKS
    input$t = load_input(thread + ${t}u * THREADS, m0, next);
#end
    for (var k = 0u; k < 32u * PARTS; k += K_SHAPE) {
#for i in 0..M_STEPS
#if H == f32
      let x$i = load_left((own_m + ${i}u * M_SHAPE) * STRIDE + k);
#else
      let x$i = subgroupMatrixLoad<subgroup_matrix_left<f16, $K_SHAPE, $M_SHAPE>, row_major>(
        &x_tile, (own_m + ${i}u * M_SHAPE) * STRIDE + k, STRIDE);
#endif
#end
#for j in 0..N_STEPS
#if H == f32
      let w$j = load_right((own_n + ${j}u * N_SHAPE) * STRIDE + k);
#else
      let w$j = subgroupMatrixLoad<subgroup_matrix_right<f16, $N_SHAPE, $K_SHAPE>, col_major>(
        &w_tile, (own_n + ${j}u * N_SHAPE) * STRIDE + k, STRIDE);
#endif
#for i in 0..M_STEPS
#if H == f32
      sums_${i}_$j = multiply_add(x$i, w$j, sums_${i}_$j);
#else
      sums_${i}_$j = subgroupMatrixMultiplyAccumulate(x$i, w$j, sums_${i}_$j);
#endif
#end
#end
    }
    workgroupBarrier();
  }
  let at = subgroup * M_SHAPE * N_SHAPE;
#for i in 0..M_STEPS
#for j in 0..N_STEPS
#if H == f32
  if (lane == 0u) { store(at, sums_${i}_$j); }
#else
  subgroupMatrixStore<row_major>(&results, at, sums_${i}_$j, N_SHAPE);
#endif
  workgroupBarrier();
  for (var task = lane; task < M_SHAPE * N_SHAPE / 4u; task += SUBGROUP) {
    let m = m0 + own_m + ${i}u * M_SHAPE + task / (N_SHAPE / 4u);
    let row = row0 + own_n + ${j}u * N_SHAPE + task % (N_SHAPE / 4u) * 4u;
    if (m < params.m && row < params.rows) {
      let r = at + 4u * task;
      let four = vec4f(results[r], results[r + 1u], results[r + 2u], results[r + 3u]);
      write(m, params.first + row, params.first + params.rows, four);
    }
  }
  workgroupBarrier();
#end
#end
}
