// Alone. Codes of a byte in words of $BITS bits a code, a word a thread.
@group(0) @binding(0) var<storage, read> codes: array<u32>;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;

struct Params { rows: u32, k: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const BITS = ${BITS}u;
const MASK = (1u << BITS) - 1u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  let row_words = params.k * BITS / 32u;
  let row = i / row_words;
  if (row >= params.rows) { return; }
  let first = i % row_words * 32u; // bit of the row
  var word = 0u;
  for (var k = first / BITS; k * BITS < first + 32u; k++) {
    let at = row * params.k + k;
    let code = (codes[at / 4u] >> (8u * (at % 4u))) & MASK;
    if (k * BITS >= first) {
      word |= code << (k * BITS - first);
    } else {
      word |= code >> (first - k * BITS);
    }
  }
  words[i] = word;
}
