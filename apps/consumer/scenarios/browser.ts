/** @file A built page, served and opened in a headless Chromium. */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { launchChromium } from '@ao/webgpu-driver'

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' }

/**
 * The text of the page in `folder`, once it has some.
 *
 * @throws Error with the page's own error, when it has one
 */
export async function textOfPage(folder: string): Promise<string> {
  const server = createServer(async ({ url = '/' }, response) => {
    const file = url === '/' ? '/index.html' : url
    const content = await readFile(join(folder, file)).catch(() => undefined)
    response.writeHead(content ? 200 : 404, { 'content-type': TYPES[extname(file)] ?? '' })
    response.end(content)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const browser = await launchChromium()
  try {
    const page = await browser.newPage()
    const failure = new Promise<never>((_, reject) => page.on('pageerror', reject))
    await page.goto(`http://127.0.0.1:${port}/`)
    await Promise.race([page.waitForFunction('document.body.innerText.trim() !== ""'), failure])
    return await page.innerText('body')
  } finally {
    await browser.close()
    server.close()
  }
}
