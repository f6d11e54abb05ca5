// After rank.wgsl. The best of a part of a row of logits (FIRST), and the best of these. NaN is better than all
// numbers.
#if FIRST
@group(0) @binding(0) var<storage, read> logits: array<u32>;
@group(0) @binding(1) var<storage, read_write> best: array<vec2u>; // (rows, parts): a rank, an id
#else
@group(0) @binding(0) var<storage, read> best: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> ids: array<i32>;
#endif

// `count` items in a row; `part` of them for each workgroup of the first step.
struct Params { count: u32, part: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const THREADS = 256u;
var<workgroup> found: array<vec2u, THREADS>;

fn better(a: vec2u, b: vec2u) -> bool { return a.x > b.x || (a.x == b.x && a.y < b.y); }

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  var own = vec2u(0u, 0xffffffffu);
#if FIRST
  let first = group.x * params.part;
  let end = min(first + params.part, params.count);
  for (var id = first + lane; id < end; id += THREADS) {
    let i = row * params.count + id;
    let item = vec2u(rank_of(${X}_at(logits[i / ${X}_per_word], i)), id);
    if (better(item, own)) { own = item; }
  }
#else
  for (var i = lane; i < params.count; i += THREADS) {
    let item = best[row * params.count + i];
    if (better(item, own)) { own = item; }
  }
#endif
  found[lane] = own;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half && better(found[lane + half], found[lane])) { found[lane] = found[lane + half]; }
  }
  if (lane > 0u) { return; }
#if FIRST
  best[row * groups.x + group.x] = found[0];
#else
  ids[row] = select(i32(found[0].y), -1, found[0].x == NAN_RANK);
#endif
}
