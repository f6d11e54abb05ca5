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
#else
fn codes_at(i: u32) -> CodesWord { return codes_[i]; }
#endif
