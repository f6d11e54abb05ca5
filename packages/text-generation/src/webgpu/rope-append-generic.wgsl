// After numbers.wgsl and stored.wgsl. As rope-append.wgsl, for any pairs: part of a head, and neighbours. A thread
// makes four elements of a head. STEP is from pair to pair, APART from the first to the second element of a pair;
// PAIRS of a head turn.
@group(0) @binding(0) var<storage, read> q: array<${X}_4>;
@group(0) @binding(1) var<storage, read> k: array<${X}_4>;
@group(0) @binding(2) var<storage, read> v: array<${X}_4>;
@group(0) @binding(3) var<storage, read> cosines: array<u32>;
@group(0) @binding(4) var<storage, read> sines: array<u32>;
@group(0) @binding(5) var<storage, read_write> queries: array<${X}_4>;
@group(0) @binding(6) var<storage, read_write> keys: array<${X}_4>;
@group(0) @binding(7) var<storage, read_write> values: array<${X}_4>;

struct Params { tokens: u32, start: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const HEADS = ${HEADS}u;
const GROUPS = ${GROUPS}u;
const QUADS = ${QUADS}u; // of a head
const PAIRS = ${PAIRS}u;
const STEP = ${STEP}u;
const APART = ${APART}u;

fn element(head: u32, i: u32, is_key: bool) -> f32 {
  let at = head * QUADS + i / 4u;
  if (is_key) { return ${X}_load(k[at])[i % 4u]; }
  return ${X}_load(q[at])[i % 4u];
}

// The four elements from 4 * quad on of a row of heads, at a position.
fn turned(head: u32, quad: u32, position: u32, is_key: bool) -> vec4f {
  var out = vec4f();
  for (var e = 0u; e < 4u; e++) {
    let i = quad * 4u + e;
    let own = element(head, i, is_key);
    if (i >= 2u * PAIRS) {
      out[e] = own;
      continue;
    }
    let is_second = i / APART % 2u == 1u;
    let pair = select(i / 2u, i % APART, STEP == 1u);
    let angle = position * PAIRS + pair;
    let c = ${X}_at(cosines[angle / ${X}_per_word], angle);
    let s = ${X}_at(sines[angle / ${X}_per_word], angle);
    let other = element(head, select(i + APART, i - APART, is_second), is_key);
    let products = ${X}_round(vec4f(own * c, other * s, 0.0, 0.0));
    out[e] = products.x + select(-products.y, products.y, is_second);
  }
  return out;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let quad = i % QUADS;
  let head = i / QUADS % (HEADS + 2u * GROUPS); // queries, then keys, then values
  let token = i / (QUADS * (HEADS + 2u * GROUPS));
  if (token >= params.tokens) { return; }
  let position = params.start + token;
  if (head < HEADS) {
    let row = token * HEADS + head;
    queries[row * QUADS + quad] = ${X}_store(turned(row, quad, position, false));
  } else if (head < HEADS + GROUPS) {
    let row = token * GROUPS + head - HEADS;
    let to = position * GROUPS + head - HEADS;
    keys[to * QUADS + quad] = ${X}_store(turned(row, quad, position, true));
  } else {
    let row = token * GROUPS + head - HEADS - GROUPS;
    let to = position * GROUPS + head - HEADS - GROUPS;
    values[to * QUADS + quad] = v[row * QUADS + quad];
  }
}
