/** A shader's text: see text.mjs. */
declare module '*.wgsl' {
  const source: string
  export default source
}
