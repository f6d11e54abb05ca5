// What every kernel knows of the weight: N rows of K codes, in pieces of 32 neighbours along K, groups of
// which share a scale.
// The codes that are bound begin with row `first` of all, and are those of `rows` rows. The input has `m`
// rows. `zero` is 0.
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
const PIECES = ${PIECES}u; // in a row
const GROUP_PIECES = max(GROUP_SIZE / 32u, 1u);

// Of four neighbouring rows: value = (code - 8) * scale + zero.
struct Qparams { scale: vec4f, zero: vec4f }

// x, kept apart from a sum that it goes into: compilers may join a product and a sum into one rounding.
fn apart(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) | params.zero); }
