// Puts the pretended gateway behind `vite dev`; a new case arrives every few seconds.
import type { Plugin } from 'vite'
import { FakeGateway } from './server.ts'

const EVERY_MS = Number(process.env['DOUDI_FAKE_EVERY_MS'] ?? 12_000)

export function fakeGateway(): Plugin {
  return {
    name: 'fake-gateway',
    apply: (_config, env) => env.command === 'serve' && env.mode !== 'test',
    configureServer(server) {
      const gateway = new FakeGateway()
      server.middlewares.use((request, response, next) => {
        if (!gateway.handle(request, response)) next()
      })
      const timer = setInterval(() => gateway.add(), EVERY_MS)
      server.httpServer?.on('close', () => clearInterval(timer))
    },
  }
}
