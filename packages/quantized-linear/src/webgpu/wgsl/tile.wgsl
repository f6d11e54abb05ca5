// Last. Many rows of the input. A workgroup makes 64 rows of the output by 64 columns, from one chunk along K
// at a time: both are laid out in shared memory by K, four neighbours to a vector. A thread sums up
// $TILE x 4 numbers of the output.

const THREADS = ${THREADS}u;
const QUADS = 16u; // of 64

var<workgroup> x_tile: array<vec4f, CHUNK * QUADS>;
var<workgroup> w_tile: array<vec4f, CHUNK * QUADS>;

// Four rows of the input by four numbers along K.
fn load_input(quad: u32, m: u32, chunk: u32, j: u32) {
#for i in 0..4
  let r$i = four((min(m + ${i}u, params.m - 1u) * CHUNKS + chunk) * (CHUNK / 4u) + j);
#end
  let at = 4u * j * QUADS + quad;
  x_tile[at] = vec4f(r0.x, r1.x, r2.x, r3.x);
  x_tile[at + QUADS] = vec4f(r0.y, r1.y, r2.y, r3.y);
  x_tile[at + 2u * QUADS] = vec4f(r0.z, r1.z, r2.z, r3.z);
  x_tile[at + 3u * QUADS] = vec4f(r0.w, r1.w, r2.w, r3.w);
}

// Four rows of the weight by four numbers: step j of a chunk.
fn load_weight(quad: u32, row: u32, chunk: u32, j: u32) {
  let q = qparams(params.first + row, group_of(chunk));
  let scale = q.scale * SHARE;
  let zero = q.zero * SHARE - LEVEL_OFFSET * scale;
#for r in 0..4
  let c$r = levels4(row + ${r}u, chunk, j);
#end
  let at = (${WORD_STEP}u * (j / 2u) + ${HALF_STEP}u * (j % 2u)) * QUADS + quad;
  w_tile[at] = vec4f(c0.x, c1.x, c2.x, c3.x) * scale + zero;
  w_tile[at + ${NIBBLE_STEP}u * QUADS] = vec4f(c0.y, c1.y, c2.y, c3.y) * scale + zero;
  w_tile[at + 2u * ${NIBBLE_STEP}u * QUADS] = vec4f(c0.z, c1.z, c2.z, c3.z) * scale + zero;
  w_tile[at + 3u * ${NIBBLE_STEP}u * QUADS] = vec4f(c0.w, c1.w, c2.w, c3.w) * scale + zero;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row0 = group.x * 64u;
  let m0 = group.y * 64u;
  let row = row0 + thread % QUADS * 4u;
  let own_m = thread / QUADS * (${TILE}u / 4u); // in fours
#for m in 0..TILE
  var sums$m = vec4f();
#end
  let last = (params.rows - 1u) / 4u * 4u;
  for (var chunk = 0u; chunk < CHUNKS; chunk++) {
    for (var task = thread; task < 8u * CHUNK; task += THREADS) {
      let quad = task % QUADS;
      let step = task / QUADS % (CHUNK / 4u);
      if (task < 4u * CHUNK) {
        load_weight(quad, min(row0 + 4u * quad, last), chunk, step);
      } else {
        load_input(quad, m0 + 4u * quad, chunk, step);
      }
    }
    workgroupBarrier();
    for (var k0 = 0u; k0 < CHUNK; k0 += 8u) {
#for k in 0..8
      {
        let w = w_tile[(k0 + ${k}u) * QUADS + thread % QUADS];
        let x0 = x_tile[(k0 + ${k}u) * QUADS + own_m];
        sums0 += w * x0.x;
        sums1 += w * x0.y;
        sums2 += w * x0.z;
        sums3 += w * x0.w;
#if TILE == 8
        let x1 = x_tile[(k0 + ${k}u) * QUADS + own_m + 1u];
        sums4 += w * x1.x;
        sums5 += w * x1.y;
        sums6 += w * x1.z;
        sums7 += w * x1.w;
#endif
      }
#end
    }
    workgroupBarrier();
  }
  if (row >= params.rows) { return; }
#for m in 0..TILE
  if (m0 + 4u * own_m + ${m}u < params.m) {
    write(m0 + 4u * own_m + ${m}u, params.first + row, params.first + params.rows, sums$m * WHOLE);
  }
#end
}
