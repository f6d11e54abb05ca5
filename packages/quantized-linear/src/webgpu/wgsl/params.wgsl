// First of all kernels. Sizes of a weight: N rows of K numbers, in chunks of CHUNK neighbours along K, the unit
// in which a thread loads them. Groups of GROUP_SIZE neighbours share a scale.
// Codes are bound from row `first` of the weight on, `rows` of them. The input has `m` rows. `zero` is 0.
struct Params { first: u32, rows: u32, m: u32, zero: u32 }
#if FIXED_ROWS
const params = Params(0u, ${FIXED_ROWS}u, 1u, 0u); // a kernel that need not read them begins earlier
#else
@group(1) @binding(0) var<uniform> params: Params;
#endif

const N = ${N}u;
const K = ${K}u;
const GROUP_SIZE = ${GROUP_SIZE}u;
const GROUPS = ${GROUPS}u; // in a row
const CHUNK = ${CHUNK}u;
const CHUNKS = ${CHUNKS}u; // in a row

// The group of a chunk.
#if ONE_GROUP
fn group_of(chunk: u32) -> u32 { return 0u; }
#else
const GROUP_CHUNKS = max(GROUP_SIZE / CHUNK, 1u);
fn group_of(chunk: u32) -> u32 { return chunk / GROUP_CHUNKS; }
#endif

// Which of several weights functions read that take a row.
#if SECOND
var<private> is_second: bool;
#endif

// Of four neighbouring rows: value = level * scale + zero.
struct Qparams { scale: vec4f, zero: vec4f }

// Eight levels of one row, in the order of `inputs`.
struct Levels { low: vec4f, high: vec4f }

// x, rounded before the sum that it goes into: compilers may fuse a product and a sum into one rounding.
fn unfused(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) | params.zero); }
