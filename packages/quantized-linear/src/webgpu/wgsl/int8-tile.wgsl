// Last. Many rows of an input of int8: a workgroup for each tile of $TILE_M of them and $TILE_N rows of the weight,
// which are one group each. Tiles of both go through shared memory as columns of four, so that a thread reads and multiplies four at once.
const TILE_M = ${TILE_M}u;
const TILE_N = ${TILE_N}u;
const TILE_K = ${TILE_K}u; // words of four codes
const THREADS_N = ${THREADS_N}u;
const THREADS = ${THREADS}u;
const QUADS_M = TILE_M / 4u;
const QUADS_N = TILE_N / 4u;
const STRIDE = QUADS_M + QUADS_N + 1u; // one more, so that neighbours along K lie in different banks

fn times(a: u32, b: vec4u) -> vec4i { return vec4i(dot4(a, b.x), dot4(a, b.y), dot4(a, b.z), dot4(a, b.w)); }

// Quads of rows of the input and then of the weight, for each step along K.
var<workgroup> tile: array<vec4u, TILE_K * STRIDE>;

// Writes four neighbours along K of the rows of a quad, as four columns.
fn load(quad: u32, column: u32, first_m: u32, first_n: u32, k: u32) {
#for i in 0..4
  var four_$i: vec4u;
#end
  if (k < K) {
    if (quad < QUADS_M) {
#for i in 0..4
      four_$i = x_codes(min(first_m + quad * 4u + $i, params.m - 1u), k / 16u);
#end
    } else {
#for i in 0..4
      four_$i = int8_codes(min(first_n + (quad - QUADS_M) * 4u + $i, params.rows - 1u), k / 16u);
#end
    }
  }
#for c in 0..4
  tile[(column + $c) * STRIDE + quad] = vec4u(four_0[$c], four_1[$c], four_2[$c], four_3[$c]);
#end
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first_m = group.x * TILE_M;
  let first_n = group.y * TILE_N;
  // A thread has quads of both that lie THREADS_M and THREADS_N quads apart.
  let at_n = thread % THREADS_N;
  let at_m = thread / THREADS_N;
#for q in 0..ROW_QUADS
#for i in 0..TOKEN_QUADS
#for c in 0..4
  var sum_${i}_${c}_$q: vec4i;
#end
#end
#end
#for q in 0..ROW_QUADS
  var weight_sum_$q: vec4i;
#end
  for (var start = 0u; start < K; start += TILE_K * 4u) {
    for (var block = thread; block < (QUADS_M + QUADS_N) * (TILE_K / 4u); block += THREADS) {
      let column = block % (TILE_K / 4u) * 4u;
      load(block / (TILE_K / 4u), column, first_m, first_n, start + column * 4u);
    }
    workgroupBarrier();
    for (var k = 0u; k < TILE_K; k++) {
#for i in 0..TOKEN_QUADS
      let a_$i = tile[k * STRIDE + at_m + $i * ${THREADS_M}u];
#end
#for q in 0..ROW_QUADS
      let b_$q = tile[k * STRIDE + QUADS_M + at_n + $q * THREADS_N];
#if ASYMMETRIC
      weight_sum_$q += times(0x01010101u, b_$q);
#endif
#for i in 0..TOKEN_QUADS
#for c in 0..4
      sum_${i}_${c}_$q += times(a_$i[$c], b_$q);
#end
#end
#end
    }
    workgroupBarrier();
  }
  // An array that is indexed by numbers of run time is slow, so sums lie in one only now.
  var sums: array<vec4i, $TOKEN_QUADS * 4 * $ROW_QUADS>;
#for i in 0..TOKEN_QUADS
#for c in 0..4
#for q in 0..ROW_QUADS
  sums[($i * 4 + $c) * $ROW_QUADS + $q] = sum_${i}_${c}_$q;
#end
#end
#end
  var weight_sums: array<vec4i, $ROW_QUADS>;
#for q in 0..ROW_QUADS
  weight_sums[$q] = weight_sum_$q;
#end
  for (var i = 0u; i < $TOKEN_QUADS * 4u * $ROW_QUADS; i++) {
    let quad = i % $ROW_QUADS;
    let of_four = i / $ROW_QUADS;
    let m = first_m + (at_m + of_four / 4u * ${THREADS_M}u) * 4u + of_four % 4u;
    let row = first_n + (at_n + quad * THREADS_N) * 4u;
    if (m < params.m && row < params.rows) {
      write(m, params.first + row, params.first + params.rows, scaled(m, params.first + row, sums[i], weight_sums[quad]));
    }
  }
}
