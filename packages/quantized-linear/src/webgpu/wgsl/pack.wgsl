// After params.wgsl and `word_index`. Bytes of codes as words of eight codes of four bits, one a thread. Of each
// STORED_ROWS, those from N on are zeros.
@group(0) @binding($codes_BINDING) var<storage, read_write> words_: array<u32>;
@group(0) @binding($bytes_BINDING) var<storage, read> bytes_: array<u32>;

const STORED_ROWS = ${STORED_ROWS}u;

#if !HAS_WORD_INDEX
fn word_index(row: u32, chunk: u32, i: u32) -> u32 { return (row * CHUNKS + chunk) * 4u + i; }
#endif

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let at = (group.y * groups.x + group.x) * 64u + thread;
  let i = at % 4u;
  let chunk = at / 4u % CHUNKS;
  let stored = at / 4u / CHUNKS;
  let first = 32u * chunk + ${WORD_STEP}u * i;
  if (stored >= params.rows || first >= K) { return; }
  let begin = (stored / STORED_ROWS * N + stored % STORED_ROWS) * K + first;
  var word = 0u;
#for j in 0..4
#for h in 0..2
  {
    let at_byte = begin + ${NIBBLE_STEP}u * ${j}u + ${HALF_STEP}u * ${h}u;
    word |= ((bytes_[at_byte / 4u] >> (8u * (at_byte % 4u))) & 15u) << (4u * (${j}u + 4u * ${h}u));
  }
#end
#end
#if SIGNED
  word ^= 0x88888888u;
#endif
  words_[word_index(stored, chunk, i)] = select(0u, word, (params.first + stored) % STORED_ROWS < N);
}
