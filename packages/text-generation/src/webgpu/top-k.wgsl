// After rank.wgsl. The k largest logits and their ids, in the order of ids, by one workgroup. The smallest rank
// that is kept is found byte by byte, from counts of the bytes that follow what is known of it; among logits of
// that rank the lowest ids are kept, found in the same way.
@group(0) @binding(0) var<storage, read> logits: array<u32>;
@group(0) @binding(1) var<storage, read_write> chosen: array<f32>; // (2, k): logits, ids

struct Params { vocabulary: u32, k: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const THREADS = ${THREADS}u;
const MAX_K = ${MAX_K}u;

var<workgroup> counts: array<atomic<u32>, 256>;
var<workgroup> kept: array<u32, MAX_K>;
var<workgroup> kept_count: atomic<u32>;
// Of what is searched for: the bits that are known, and how many of the items that share them are kept.
struct Search { known: u32, left: u32, equals: u32 }
var<workgroup> search: Search;

fn logit(id: u32) -> f32 { return ${X}_at(logits[id / ${X}_per_word], id); }

// Large ranks come first; ids are turned over so that low ones do.
fn item(id: u32, by_id: bool) -> u32 { return select(rank_of(logit(id)), ~id, by_id); }

// The byte at `shift` of the last item that is kept, of those with rank `rank` if `by_id`.
fn search_byte(lane: u32, shift: u32, rank: u32, by_id: bool) {
  for (var i = lane; i < 256u; i += THREADS) { atomicStore(&counts[i], 0u); }
  let state = workgroupUniformLoad(&search);
  for (var id = lane; id < params.vocabulary; id += THREADS) {
    if (by_id && rank_of(logit(id)) != rank) { continue; }
    let value = item(id, by_id);
    // Shifts by 32 are not defined.
    if (shift == 24u || value >> (shift + 8u) == state.known >> (shift + 8u)) {
      atomicAdd(&counts[(value >> shift) & 0xffu], 1u);
    }
  }
  workgroupBarrier();
  if (lane == 0u) {
    var left = state.left;
    var byte = 255u;
    var count = atomicLoad(&counts[byte]);
    while (byte > 0u && count < left) {
      left -= count;
      byte--;
      count = atomicLoad(&counts[byte]);
    }
    search = Search(state.known | (byte << shift), left, count);
  }
  workgroupBarrier();
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lane: u32) {
  if (lane == 0u) { search = Search(0u, params.k, 0u); }
  workgroupBarrier();
  for (var shift = 32u; shift > 0u; shift -= 8u) { search_byte(lane, shift - 8u, 0u, false); }
  let by_rank = workgroupUniformLoad(&search);
  var last_id = 0xffffffffu; // the highest one that is kept of those with the smallest rank
  if (by_rank.left < by_rank.equals) {
    if (lane == 0u) { search = Search(0u, by_rank.left, 0u); }
    workgroupBarrier();
    for (var shift = 32u; shift > 0u; shift -= 8u) {
      search_byte(lane, shift - 8u, by_rank.known, true);
    }
    last_id = ~workgroupUniformLoad(&search).known;
  }
  for (var id = lane; id < params.vocabulary; id += THREADS) {
    let rank = rank_of(logit(id));
    if (rank > by_rank.known || (rank == by_rank.known && id <= last_id)) {
      kept[atomicAdd(&kept_count, 1u)] = id;
    }
  }
  workgroupBarrier();
  for (var i = lane; i < params.k; i += THREADS) {
    let id = kept[i];
    var place = 0u;
    for (var j = 0u; j < params.k; j++) { place += select(0u, 1u, kept[j] < id); }
    chosen[place] = logit(id);
    chosen[params.k + place] = f32(id);
  }
}
