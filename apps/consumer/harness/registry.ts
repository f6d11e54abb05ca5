/** @file A registry on this machine that holds the packages of this repository, and nothing else. */
import type { AddressInfo } from 'node:net'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { runServer } from 'verdaccio'

/** The scope that it holds. Other packages come from wherever this machine gets them. */
export const SCOPE = '@ao'

const HOST = '127.0.0.1'

export interface Registry {
  /** `http://127.0.0.1:<port>/` */
  readonly url: string
  close(): void
}

/** Starts it on a free port. It has no uplink: what is published here stays here. */
export async function startRegistry(folder: string): Promise<Registry> {
  const server: Server = await runServer({
    storage: folder,
    self_path: folder,
    uplinks: {},
    packages: { [`${SCOPE}/*`]: { access: '$all', publish: '$all' } },
    auth: { htpasswd: { file: join(folder, 'users'), max_users: -1 } },
    web: { enable: false },
    middlewares: {},
    max_body_size: '50mb',
    log: { type: 'stdout', format: 'pretty', level: 'fatal' },
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, HOST, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${HOST}:${port}/`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** What an .npmrc says to use it. The token is any: publishing here needs none, but npm wants one. */
export function npmrc({ url }: Registry): string {
  return `${SCOPE}:registry=${url}\n${url.replace('http:', '')}:_authToken=none\n`
}
