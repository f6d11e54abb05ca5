// Alone. Rows of a table by id, word by word.
@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read_write> rows: array<u32>;

// `table` is rows `first` to `first + count`; ids outside of them are left to other dispatches.
struct Params { ids: u32, id_words: u32, width: u32, first: u32, count: u32, vocabulary: u32 }
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.ids * params.width) { return; }
  let id = min(ids[i / params.width * params.id_words], params.vocabulary - 1u);
  if (id < params.first || id >= params.first + params.count) { return; }
  rows[i] = table[(id - params.first) * params.width + i % params.width];
}
