// Last, after matrix-types.wgsl. A product of matrices by subgroups: a workgroup makes M_TILE rows of the output by N_TILE columns, STEP numbers
// along K at a time, of which both sides lie in shared memory. What comes next is loaded while matrices are
// multiplied.
//
// Shared memory is cut into the parts of subgroups, and all that uses it is in one function: so compilers see
// that no place is outside of an array. Where they do not, they check each access, which costs up to half of
// the speed.
//
// Before both stands, of the product:
//   alias Cell, alias Element    what lies in shared memory, and what sums are
//   fn count_m, count_n          rows and columns of the output
//   fn load_left(m, k)           LeftItem: LEFT_PER numbers of row m, from k on
//   fn left_cells(item)          array<vec2<Cell>, LEFT_TWOS>
//   fn load_right(n, k, slot)    RightItem: numbers of RIGHT_ROWS rows from n on
//   fn right_cells(item)         array<vec2<Cell>, RIGHT_ROWS * RIGHT_TWOS>: by twos, as compilers can write both at once
//   fn take(m, n, value)         takes one element of the output, or four neighbours with FOURS
const M_SIZE = ${M_SIZE}u; // of a matrix
const N_SIZE = ${N_SIZE}u;
const K_SIZE = ${K_SIZE}u;
const M_PART = M_SIZE * $PART_M; // of a subgroup
const N_PART = N_SIZE * $PART_N;
const M_TILE = M_PART * $SUBGROUPS_M;
const N_TILE = N_PART * $SUBGROUPS_N;
const SUBGROUP = ${SUBGROUP}u;
const SUBGROUPS = $SUBGROUPS_M * ${SUBGROUPS_N}u;
const THREADS = SUBGROUP * SUBGROUPS;
const STEP = ${STEP}u;
const STEPS = ${STEPS}u;
const BUFFERS = ${BUFFERS}u;
const PER_CELL = ${PER_CELL}u; // numbers
const STRIDE = STEP / PER_CELL + ${PADDING}u; // of rows, in cells: they begin in different banks
const LEFT_TASKS = M_TILE * STEP / $LEFT_PER;
const RIGHT_TASKS = N_TILE / $RIGHT_ROWS * STEP / $RIGHT_PER;

var<workgroup> left_tile: array<array<array<Cell, M_PART * STRIDE>, $SUBGROUPS_M>, BUFFERS>;
var<workgroup> right_tile: array<array<array<Cell, N_PART * STRIDE>, $SUBGROUPS_N>, BUFFERS>;
var<workgroup> results: array<array<Element, M_SIZE * N_SIZE>, SUBGROUPS>;

#if !ALONE
// Places in shared memory follow from `subgroup`, which is uniform though it is not seen to be.
@diagnostic(off, chromium.subgroup_matrix_uniformity)
#endif
@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  // Workgroups that share columns of the output run at about the same time, and read them once.
  let first_m = group.x * M_TILE;
  let first_n = group.y * N_TILE;
  let subgroup = thread / SUBGROUP;
  let own_m = subgroup / $SUBGROUPS_N;
  let own_n = subgroup % $SUBGROUPS_N;
#for i in 0..PART_M
#for j in 0..PART_N
  var sums_${i}_$j: Result;
#end
#end
#for t in 0..LEFT_ROUNDS
  let left_task$t = (thread + ${t}u * THREADS) % LEFT_TASKS;
  let left_row$t = left_task$t / (STEP / $LEFT_PER);
  let left_k$t = left_task$t % (STEP / $LEFT_PER) * $LEFT_PER;
  let left_part$t = left_row$t / M_PART;
  let left_at$t = left_row$t % M_PART * STRIDE + left_k$t / PER_CELL;
  let left_m$t = min(first_m + left_row$t, count_m() - 1u);
  var left$t = load_left(left_m$t, left_k$t);
#end
#for t in 0..RIGHT_ROUNDS
  let right_task$t = (thread + ${t}u * THREADS) % RIGHT_TASKS;
  let right_item$t = right_task$t / (STEP / $RIGHT_PER); // along N
  let right_slot$t = right_task$t % $SLOTS;
  let right_k$t = right_task$t % (STEP / $RIGHT_PER) / $SLOTS * ($SLOTS * $RIGHT_PER);
  let right_part$t = right_item$t / (N_PART / $RIGHT_ROWS);
  let right_at$t = right_item$t % (N_PART / $RIGHT_ROWS) * ($RIGHT_ROWS * STRIDE) + (right_k$t + right_slot$t * $SLOT_STEP) / PER_CELL;
  let right_n$t = min(first_n + right_item$t * $RIGHT_ROWS, count_n() - 1u);
  var right$t = load_right(right_n$t, right_k$t, right_slot$t);
#end
  for (var step = 0u; step < STEPS; step++) {
    let buffer = step % BUFFERS;
#for t in 0..RIGHT_ROUNDS
#if RIGHT_REST
    if (thread + ${t}u * THREADS < RIGHT_TASKS) {
#else
    {
#endif
      let cells = right_cells(right$t);
#for r in 0..RIGHT_ROWS
#for c in 0..RIGHT_TWOS
      right_tile[buffer][right_part$t][right_at$t + ${r}u * STRIDE + ${c}u * $TWOS_STEP] = cells[${r}u * $RIGHT_TWOS + ${c}u].x;
      right_tile[buffer][right_part$t][right_at$t + ${r}u * STRIDE + ${c}u * $TWOS_STEP + $PAIR_STEP] = cells[${r}u * $RIGHT_TWOS + ${c}u].y;
#end
#end
    }
#end
#for t in 0..LEFT_ROUNDS
#if LEFT_REST
    if (thread + ${t}u * THREADS < LEFT_TASKS) {
#else
    {
#endif
      let cells = left_cells(left$t);
#for c in 0..LEFT_TWOS
      left_tile[buffer][left_part$t][left_at$t + 2u * ${c}u] = cells[$c].x;
      left_tile[buffer][left_part$t][left_at$t + 2u * ${c}u + 1u] = cells[$c].y;
#end
    }
#end
    workgroupBarrier();
    let next = min(step + 1u, STEPS - 1u) * STEP;
#for t in 0..RIGHT_ROUNDS
    right$t = load_right(right_n$t, next + right_k$t, right_slot$t);
#end
#for t in 0..LEFT_ROUNDS
    left$t = load_left(left_m$t, next + left_k$t);
#end
#for k in 0..K_SIZES
    {
#for i in 0..PART_M
#if ALONE
      let left_$i = load_left_matrix(buffer, own_m, ${i}u * M_SIZE * STRIDE + ${k}u * K_SIZE / PER_CELL);
#else
      let left_$i = subgroupMatrixLoad<Left, row_major>(
        &left_tile[buffer][own_m], ${i}u * M_SIZE * STRIDE + ${k}u * K_SIZE / PER_CELL, STRIDE);
#endif
#end
#for j in 0..PART_N
      {
#if ALONE
        let right = load_right_matrix(buffer, own_n, ${j}u * N_SIZE * STRIDE + ${k}u * K_SIZE / PER_CELL);
#else
        let right = subgroupMatrixLoad<Right, col_major>(
          &right_tile[buffer][own_n], ${j}u * N_SIZE * STRIDE + ${k}u * K_SIZE / PER_CELL, STRIDE);
#endif
#for i in 0..PART_M
#if ALONE
        sums_${i}_$j = multiply_add(left_$i, right, sums_${i}_$j);
#else
        sums_${i}_$j = subgroupMatrixMultiplyAccumulate(left_$i, right, sums_${i}_$j);
#endif
#end
      }
#end
    }
#end
#if BUFFERS == 1
    workgroupBarrier();
#endif
  }
  let lane = thread % SUBGROUP;
#for i in 0..PART_M
#for j in 0..PART_N
#if ALONE
  if (lane == 0u) { store_result(subgroup, sums_${i}_$j); }
#else
  subgroupMatrixStore<row_major>(&results[subgroup], 0u, sums_${i}_$j, N_SIZE);
#endif
  workgroupBarrier();
#for t in 0..RESULT_ROUNDS
  {
    let at = (lane + ${t}u * SUBGROUP) * $PER_RESULT;
    let m = first_m + own_m * M_PART + ${i}u * M_SIZE + at / N_SIZE;
    let n = first_n + own_n * N_PART + ${j}u * N_SIZE + at % N_SIZE;
    if (at < M_SIZE * N_SIZE && m < count_m() && n < count_n()) {
#if FOURS
      take(m, n, vec4<Element>(results[subgroup][at], results[subgroup][at + 1u],
                               results[subgroup][at + 2u], results[subgroup][at + 3u]));
#else
      take(m, n, results[subgroup][at]);
#endif
    }
  }
#end
  workgroupBarrier();
#end
#end
}
