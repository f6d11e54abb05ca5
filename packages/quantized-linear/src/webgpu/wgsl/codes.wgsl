// After params.wgsl, before a decoder that reads them. The stored codes, as words of $CODES_TYPE; rows count
// from the first that is bound.
alias CodesWord = $CODES_TYPE;

@group(0) @binding($codes_BINDING) var<storage, read> codes_: array<CodesWord>;
#if SECOND
@group(0) @binding($codes_second_BINDING) var<storage, read> codes_second_: array<CodesWord>;

fn codes_at(i: u32) -> CodesWord {
  if (is_second) { return codes_second_[i]; }
  return codes_[i];
}
#if IS_VECTOR
fn codes_component(i: u32, j: u32) -> u32 {
  if (is_second) { return codes_second_[i][j]; }
  return codes_[i][j];
}
#endif
#else
fn codes_at(i: u32) -> CodesWord { return codes_[i]; }
#if IS_VECTOR
// Component j alone is read: to index a vector that is in registers by a number of run time is slow.
fn codes_component(i: u32, j: u32) -> u32 { return codes_[i][j]; }
#endif
#endif
