import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { wgslText } from '../text.mjs'
import imported from './double.wgsl'

describe('wgslText', () => {
  it.each([
    ['line comments', 'let a = 1; // one\nlet b = a / 2; //', 'let a=1;\nlet b=a/2;'],
    ['nested block comments', 'a /* b /* c */ d\n e */ f', 'a\nf'],
    ['a block comment between tokens', 'let/**/a = 1;', 'let a=1;'],
    ['marks inside the other kind', '/* // */ a // /*\nb', 'a\nb'],
    ['products and quotients', 'a * b / c; *p = x; a /b', 'a*b/c;*p=x;a/b'],
    ['signs that would join', 'a - -b + c & &d && e', 'a- -b+c& &d&&e'],
    ['lines of templates', '#if A == 4 \na > > b', '#if A == 4\na> >b'],
    ['blanks and carriage returns', '  a\r\n\tb  \r\n\r\n', 'a\nb'],
  ])('handles %s', (_, source, text) => {
    expect(wgslText(source)).toBe(text)
  })

  it('leaves lines where they are', () => {
    const source = '// first\n\n/* two\nlines */\n  fn main() {}\n'
    expect(wgslText(source).split('\n').indexOf('fn main(){}')).toBe(4)
  })

  it('is what an import gives', () => {
    const file = readFileSync(new URL('double.wgsl', import.meta.url), 'utf8')
    expect(imported).toBe(wgslText(file))
  })
})
