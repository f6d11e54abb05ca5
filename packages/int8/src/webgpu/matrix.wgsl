// Products of many tokens as matrices of subgroups: a workgroup makes M_TILE tokens by N_TILE rows of the
// weight, STEP along K at a time, which both lie in shared memory: as words of four codes, or as numbers of $H.
// What comes next is loaded while matrices are multiplied.
//
// Shared memory is cut into the parts of subgroups, and all is in one function: so compilers see that no place
// is outside of an array. Where they do not, they check each access, which halves the speed.
const M = ${M}u; // sizes of a matrix
const N = ${N}u;
const DEPTH = ${DEPTH}u;
const M_PART = M * $PART_M; // of a subgroup
const N_PART = N * $PART_N;
const M_TILE = M_PART * $SUBGROUPS_M;
const N_TILE = N_PART * $SUBGROUPS_N;
const SUBGROUP = ${SUBGROUP}u;
const SUBGROUPS = $SUBGROUPS_M * ${SUBGROUPS_N}u;
const THREADS = SUBGROUP * SUBGROUPS;
const STEP = ${STEP}u;

#if CODES
alias Cell = i32;
alias Element = i32;
const PER_CELL = 4u;
const STRIDE = STEP / 4u + 4u; // in cells: rows begin in different banks
const X_PER_TASK = 16u;
#else
alias Cell = $H;
alias Element = f32;
const PER_CELL = 1u;
const STRIDE = STEP + 8u;
const X_PER_TASK = 8u;
#endif
const X_TASKS = M_TILE * STEP / X_PER_TASK;
const W_TASKS = N_TILE * STEP / 16u;

var<workgroup> tokens_tile: array<array<Cell, M_PART * STRIDE>, $SUBGROUPS_M>;
var<workgroup> rows_tile: array<array<Cell, N_PART * STRIDE>, $SUBGROUPS_N>;
var<workgroup> results: array<array<Element, M * N>, SUBGROUPS>;

#if !CODES
// Bytes 0 and 2 of a word as numbers: below an exponent that says 1024, code + 128 is 1152 + code.
fn pair_of_codes(word: u32, zero: vec2<$H>) -> vec2<$H> {
  let bits = (word & 0x00ff00ffu) ^ 0x64806480u;
#if H == f16
  return bitcast<vec2<f16>>(bits) - vec2<f16>(1152.0) - zero;
#else
  return unpack2x16float(bits) - vec2f(1152.0) - zero;
#endif
}
#endif

#if ALONE
// What matrices of subgroups do, by each thread, to test what is around them.
struct Left { v: array<Element, M * DEPTH> }
struct Right { v: array<Element, DEPTH * N> }
struct Result { v: array<Element, M * N> }

#if CODES
fn element(cell: i32, k: u32) -> i32 { return extractBits(cell, k % 4u * 8u, 8u); }
#else
fn element(cell: $H, k: u32) -> f32 { return f32(cell); }
#endif

fn load_left(part: u32, at: u32) -> Left {
  var left: Left;
  for (var i = 0u; i < M * DEPTH; i++) {
    left.v[i] = element(tokens_tile[part][at + i / DEPTH * STRIDE + i % DEPTH / PER_CELL], i % DEPTH);
  }
  return left;
}

fn load_right(part: u32, at: u32) -> Right {
  var right: Right;
  for (var i = 0u; i < DEPTH * N; i++) {
    right.v[i] = element(rows_tile[part][at + i % N * STRIDE + i / N / PER_CELL], i / N);
  }
  return right;
}

fn multiply_add(left: Left, right: Right, sums: Result) -> Result {
  var a = left;
  var b = right;
  var result = sums;
  for (var i = 0u; i < M * N * DEPTH; i++) {
    let k = i % DEPTH;
    let at = i / DEPTH;
    result.v[at] += a.v[at / N * DEPTH + k] * b.v[k * N + at % N];
  }
  return result;
}

fn write(subgroup: u32, sums: Result) {
  var result = sums;
  for (var i = 0u; i < M * N; i++) { results[subgroup][i] = result.v[i]; }
}
#else
#if CODES
alias Left = subgroup_matrix_left<i8, DEPTH, M>;
alias Right = subgroup_matrix_right<i8, N, DEPTH>;
alias Result = subgroup_matrix_result<i32, N, M>;
#else
alias Left = subgroup_matrix_left<f16, DEPTH, M>;
alias Right = subgroup_matrix_right<f16, N, DEPTH>;
alias Result = subgroup_matrix_result<f32, N, M>;
#endif

// Places in shared memory follow from `subgroup`, which is uniform though it is not seen to be.
@diagnostic(off, chromium.subgroup_matrix_uniformity)
#endif
@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first_m = group.x * M_TILE;
  let first_n = group.y * N_TILE;
  let subgroup = thread / SUBGROUP;
  let own_m = subgroup / $SUBGROUPS_N;
  let own_n = subgroup % $SUBGROUPS_N;
#for i in 0..PART_M
#for j in 0..PART_N
  var sum_${i}_$j: Result;
#end
#end
#for t in 0..W_ROUNDS
  let w_task$t = (thread + ${t}u * THREADS) % W_TASKS;
  let w_row$t = w_task$t / (STEP / 16u);
  let w_k$t = w_task$t % (STEP / 16u) * 16u;
  let w_n$t = min(first_n + w_row$t, params.n - 1u);
  let w_part$t = w_row$t / N_PART;
  let w_at$t = w_row$t % N_PART * STRIDE + w_k$t / PER_CELL;
  let w_first$t = (w_n$t * $K + w_k$t) / 16u;
  var w$t = weight[w_first$t];
#if !CODES
  let w_zero$t = vec2<$H>($H(zero_at(w_n$t, 0u)));
#endif
#end
#for t in 0..X_ROUNDS
  let x_task$t = (thread + ${t}u * THREADS) % X_TASKS;
  let x_row$t = x_task$t / (STEP / X_PER_TASK);
  let x_k$t = x_task$t % (STEP / X_PER_TASK) * X_PER_TASK;
  let x_part$t = x_row$t / M_PART;
  let x_at$t = x_row$t % M_PART * STRIDE + x_k$t / PER_CELL;
  let x_first$t = min(first_m + x_row$t, params.m - 1u) * $K + x_k$t;
#if CODES
  var x$t = x[x_first$t / 16u];
#else
  var low$t = x[x_first$t / 4u];
  var high$t = x[x_first$t / 4u + 1u];
#endif
#end
  for (var step = 0u; step < $K / STEP; step++) {
#for t in 0..W_ROUNDS
#if W_REST
    if (thread + ${t}u * THREADS < W_TASKS) {
#else
    {
#endif
#for c in 0..4
#if CODES
      rows_tile[w_part$t][w_at$t + $c] = bitcast<i32>(w$t[$c]);
#else
      {
        let even = pair_of_codes(w$t[$c], w_zero$t);
        let odd = pair_of_codes(w$t[$c] >> 8u, w_zero$t);
        rows_tile[w_part$t][w_at$t + 4u * $c] = even.x;
        rows_tile[w_part$t][w_at$t + 4u * $c + 1u] = odd.x;
        rows_tile[w_part$t][w_at$t + 4u * $c + 2u] = even.y;
        rows_tile[w_part$t][w_at$t + 4u * $c + 3u] = odd.y;
      }
#endif
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
#if CODES
      tokens_tile[x_part$t][x_at$t + $c] = bitcast<i32>(x$t[$c]);
#else
      tokens_tile[x_part$t][x_at$t + $c] = $H(low$t[$c]);
#endif
#end
#if !CODES
#for c in 0..4
      tokens_tile[x_part$t][x_at$t + 4u + $c] = $H(high$t[$c]);
#end
#endif
    }
#end
    workgroupBarrier();
    let next = min(step + 1u, $K / STEP - 1u) * STEP;
#for t in 0..W_ROUNDS
    w$t = weight[w_first$t + next / 16u];
#end
#for t in 0..X_ROUNDS
#if CODES
    x$t = x[(x_first$t + next) / 16u];
#else
    low$t = x[(x_first$t + next) / 4u];
    high$t = x[(x_first$t + next) / 4u + 1u];
#endif
#end
#for k in 0..DEPTHS
    {
#for i in 0..PART_M
#if ALONE
      let left_$i = load_left(own_m, $i * M * STRIDE + $k * DEPTH / PER_CELL);
#else
      let left_$i = subgroupMatrixLoad<Left, row_major>(&tokens_tile[own_m], $i * M * STRIDE + $k * DEPTH / PER_CELL, STRIDE);
#endif
#end
#for j in 0..PART_N
      {
#if ALONE
        let right = load_right(own_n, $j * N * STRIDE + $k * DEPTH / PER_CELL);
#else
        let right = subgroupMatrixLoad<Right, col_major>(&rows_tile[own_n], $j * N * STRIDE + $k * DEPTH / PER_CELL, STRIDE);
#endif
#for i in 0..PART_M
#if ALONE
        sum_${i}_$j = multiply_add(left_$i, right, sum_${i}_$j);
#else
        sum_${i}_$j = subgroupMatrixMultiplyAccumulate(left_$i, right, sum_${i}_$j);
#endif
#end
      }
#end
    }
#end
    workgroupBarrier();
  }
  let lane = thread % SUBGROUP;
#for i in 0..PART_M
#for j in 0..PART_N
#if ALONE
  write(subgroup, sum_${i}_$j);
#else
  subgroupMatrixStore<row_major>(&results[subgroup], 0u, sum_${i}_$j, N);
#endif
  workgroupBarrier();
#for t in 0..Y_ROUNDS
  {
    let at = lane + ${t}u * SUBGROUP;
    let m = first_m + own_m * M_PART + $i * M + at / N;
    let n = first_n + own_n * N_PART + $j * N + at % N;
    if (at < M * N && m < params.m && n < params.n) { finish(m, n, results[subgroup][at], Element(0)); }
  }
#end
  workgroupBarrier();
#end
#end
}
