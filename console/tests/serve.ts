// The pretended gateway on a port of its own, for tests that go through HTTP.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Api } from '../src/api'
import { FakeGateway } from '../dev/server.ts'

export interface Served {
  gateway: FakeGateway
  base: string
  stop: () => Promise<void>
}

export async function serve(count = 0): Promise<Served> {
  const gateway = new FakeGateway(count)
  const server = createServer((request, response) => {
    if (!gateway.handle(request, response)) response.writeHead(404).end()
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = async (): Promise<void> => {
    gateway.dropStreams()
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  }
  return { gateway, base, stop }
}

export function apiOf(
  base: string,
  user = 'county',
  timeoutMs = 5_000,
  onExpired = (): void => undefined,
): Api {
  return new Api(() => `fake-${user}`, onExpired, timeoutMs, base)
}

/** Waits until a condition holds; the test fails by its own time limit. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((next) => setTimeout(next, 10))
}
