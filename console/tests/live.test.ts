// @vitest-environment node
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Live } from '../src/live'
import { apiOf, serve, until, type Served } from './serve'

let served: Served
let live: Live

beforeEach(async () => {
  served = await serve()
  vi.stubGlobal('location', new URL(served.base))
  vi.stubGlobal('document', new EventTarget())
  vi.stubGlobal('addEventListener', () => undefined)
  vi.stubGlobal('removeEventListener', () => undefined)
})
afterEach(async () => {
  live.stop()
  await served.stop()
  vi.unstubAllGlobals()
})

test('tells changes, and after a break what happened meanwhile, once', { timeout: 20_000 }, async () => {
  live = new Live(apiOf(served.base))
  const seen: string[] = []
  let looked = 0
  live.listen({ changed: (event) => seen.push(event.case_id), lookAgain: () => looked++ })
  live.start()
  await until(() => live.state.value === 'live')
  const first = served.gateway.add()
  await until(() => seen.length === 1)
  served.gateway.dropStreams()
  await until(() => live.state.value === 'waiting')
  const second = served.gateway.add()
  await until(() => live.state.value === 'live' && seen.length === 2)
  expect(seen).toEqual([first.id, second.id])
  expect(looked).toBe(2)
})

test('a refused token waits and tries again instead of giving up', async () => {
  live = new Live(apiOf(served.base, ''))
  live.start()
  await until(() => live.state.value === 'waiting')
  live.stop()
  expect(live.state.value).toBe('off')
})
