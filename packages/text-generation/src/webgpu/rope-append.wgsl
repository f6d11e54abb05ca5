// After numbers.wgsl and stored.wgsl. Rotates queries and keys of new tokens, and writes keys and values into the
// cache. A thread takes four elements of the first half of a head, and the four of the second half that they are
// turned with.
@group(0) @binding(0) var<storage, read> q: array<${X}_4>;
@group(0) @binding(1) var<storage, read> k: array<${X}_4>;
@group(0) @binding(2) var<storage, read> v: array<${X}_4>;
@group(0) @binding(3) var<storage, read> cosines: array<${X}_4>;
@group(0) @binding(4) var<storage, read> sines: array<${X}_4>;
@group(0) @binding(5) var<storage, read_write> queries: array<${X}_4>;
@group(0) @binding(6) var<storage, read_write> keys: array<${X}_4>;
@group(0) @binding(7) var<storage, read_write> values: array<${X}_4>;

struct Params { tokens: u32, start: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const HEADS = ${HEADS}u;
const GROUPS = ${GROUPS}u;
const HALF = ${HALF}u; // quads of half a head

struct Turned { first: ${X}_4, second: ${X}_4 }

fn turn(first: ${X}_4, second: ${X}_4, angle: u32) -> Turned {
  let a = ${X}_load(first);
  let b = ${X}_load(second);
  let c = ${X}_load(cosines[angle]);
  let s = ${X}_load(sines[angle]);
  return Turned(
    ${X}_store(${X}_round(a * c) - ${X}_round(b * s)),
    ${X}_store(${X}_round(b * c) + ${X}_round(a * s)),
  );
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let quad = i % HALF;
  let head = i / HALF % (HEADS + 2u * GROUPS); // queries, then keys, then values
  let token = i / (HALF * (HEADS + 2u * GROUPS));
  if (token >= params.tokens) { return; }
  let position = params.start + token;
  let angle = position * HALF + quad;
  if (head < HEADS) {
    let at = (token * HEADS + head) * 2u * HALF + quad;
    let turned = turn(q[at], q[at + HALF], angle);
    queries[at] = turned.first;
    queries[at + HALF] = turned.second;
  } else if (head < HEADS + GROUPS) {
    let at = (token * GROUPS + head - HEADS) * 2u * HALF + quad;
    let to = (position * GROUPS + head - HEADS) * 2u * HALF + quad;
    let turned = turn(k[at], k[at + HALF], angle);
    keys[to] = turned.first;
    keys[to + HALF] = turned.second;
  } else {
    let at = (token * GROUPS + head - HEADS - GROUPS) * 2u * HALF + quad;
    let to = (position * GROUPS + head - HEADS - GROUPS) * 2u * HALF + quad;
    values[to] = v[at];
    values[to + HALF] = v[at + HALF];
  }
}
