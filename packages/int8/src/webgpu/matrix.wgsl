// Products of many tokens as matrices of subgroups: a workgroup for each tile of TILE_M tokens and TILE_N rows
// of the weight, of which each subgroup has PART_M by PART_N matrices. Codes are read where they lie; numbers
// go through shared memory, as $H.
const M = ${M}u; // sizes of a matrix
const N = ${N}u;
const DEPTH = ${DEPTH}u;
const TILE_M = M * $PART_M * $SUBGROUPS_M;
const TILE_N = N * $PART_N * $SUBGROUPS_N;
const SUBGROUP = ${SUBGROUP}u;
const THREADS = SUBGROUP * $SUBGROUPS_M * $SUBGROUPS_N;

#if CODES
alias Element = i32;
const STEP = DEPTH; // along K, of one load
#else
alias Element = f32;
const STEP = 32u;
const STRIDE = STEP + 8u; // rows begin in different banks
var<workgroup> tokens_tile: array<$H, TILE_M * STRIDE>;
var<workgroup> rows_tile: array<$H, TILE_N * STRIDE>;

fn load_tiles(thread: u32, first_m: u32, first_n: u32, start: u32) {
  for (var i = thread; i < (TILE_M + TILE_N) * STEP / 4u; i += THREADS) {
    let row = i / (STEP / 4u);
    let column = i % (STEP / 4u) * 4u;
    if (row < TILE_M) {
      let four = x[(min(first_m + row, params.m - 1u) * $K + start + column) / 4u];
#for i in 0..4
      tokens_tile[row * STRIDE + column + $i] = $H(four[$i]);
#end
    } else {
      let n = first_n + row - TILE_M;
      let four = codes_of(word_at(n, start + column)) - zero_at(n, 0u);
#for i in 0..4
      rows_tile[(row - TILE_M) * STRIDE + column + $i] = $H(four[$i]);
#end
    }
  }
}
#endif

var<workgroup> results: array<Element, THREADS / SUBGROUP * M * N>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first_m = group.x * TILE_M;
  let first_n = group.y * TILE_N;
  let subgroup = thread / SUBGROUP;
  let part_m = subgroup / $SUBGROUPS_N * M * $PART_M;
  let part_n = subgroup % $SUBGROUPS_N * N * $PART_N;
#for i in 0..PART_M
#for j in 0..PART_N
  var sum_${i}_$j: Result;
#end
#end
  for (var start = 0u; start < $K; start += STEP) {
#if !CODES
    workgroupBarrier();
    load_tiles(thread, first_m, first_n, start);
    workgroupBarrier();
#endif
    for (var k = 0u; k < STEP; k += DEPTH) {
#for i in 0..PART_M
#if CODES
      let left_$i = left_of((first_m + part_m + $i * M) * $K + start, $K);
#else
      let left_$i = left_of((part_m + $i * M) * STRIDE + k, STRIDE);
#endif
#end
#for j in 0..PART_N
      {
#if CODES
        let right = right_of((first_n + part_n + $j * N) * $K + start, $K);
#else
        let right = right_of((part_n + $j * N) * STRIDE + k, STRIDE);
#endif
#for i in 0..PART_M
        sum_${i}_$j = multiplied(left_$i, right, sum_${i}_$j);
#end
      }
#end
    }
  }
  let lane = thread % SUBGROUP;
#for i in 0..PART_M
#for j in 0..PART_N
  workgroupBarrier();
  write(subgroup * M * N, sum_${i}_$j);
  workgroupBarrier();
  for (var at = lane; at < M * N; at += SUBGROUP) {
    let m = first_m + part_m + $i * M + at / N;
    let n = first_n + part_n + $j * N + at % N;
    if (m < params.m) { finish(m, n, results[subgroup * M * N + at], Element(0)); }
  }
#end
#end
}
