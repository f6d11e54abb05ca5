// After arithmeticWgsl. The smallest and largest number of blocks of neighbours, or of parts of blocks.
@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> ranges: array<vec2i>;

struct Params {
  first: u32,  // part of the first thread
  count: u32,  // parts of this dispatch
  base: u32,   // element at which the binding begins
  length: u32, // elements of a block
  parts: u32,  // of a block
  part: u32,   // elements of a part; the last may have fewer
  lanes: u32,  // threads of a part, a power of two
}
@group(1) @binding(0) var<uniform> params: Params;

const THREADS = ${THREADS}u;

var<workgroup> partial: array<vec2i, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let lanes = params.lanes;
  let lane = thread % lanes;
  let at = (group.y * groups.x + group.x) * (THREADS / lanes) + thread / lanes;
  let part = params.first + at;
  let block = part / params.parts * params.length;
  let start = block + part % params.parts * params.part;
  let end = min(start + params.part, block + params.length);
  var range = vec2i(HIGHEST, LOWEST);
  if (at < params.count) {
    for (var i = start + lane; i < end; i += lanes) {
      let x = value_$IN(input[(i - params.base) / $IN_PER_WORD], i - params.base);
      range = wider(range, vec2i(order_of(x)));
    }
  }
  partial[thread] = range;
  for (var step = lanes / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[thread] = wider(partial[thread], partial[thread + step]); }
  }
  if (lane == 0u && at < params.count) { ranges[part] = partial[thread]; }
}
