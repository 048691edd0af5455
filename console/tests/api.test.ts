import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ApiProblem, isPending } from '../src/api'
import { newKey } from '../src/command'
import { apiOf, serve, type Served } from './serve'

let served: Served

beforeEach(async () => {
  served = await serve(130)
})
afterEach(() => served.stop())

async function problemOf(work: Promise<unknown>): Promise<ApiProblem> {
  return work.then(
    () => expect.fail('should have been refused'),
    (error: unknown) => error as ApiProblem,
  )
}

test('signs in, and says when the password is wrong', async () => {
  const api = apiOf(served.base, '')
  expect((await api.signIn('town', 'demo')).user.role).toBe('township')
  expect((await problemOf(api.signIn('town', 'nope'))).kind).toBe('credentials')
})

test('pages through a list without repeating a row', async () => {
  const api = apiOf(served.base)
  const ids: string[] = []
  let cursor: string | null = null
  do {
    const page = await api.list('alert', { state: 'active' }, cursor, 20)
    ids.push(...page.items.map((item) => item.id))
    cursor = page.next_cursor
  } while (cursor)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.length).toBe([...served.gateway.cases.values()].filter((c) => c.kind === 'alert').length)
})

test('sends filters as the gateway names them', async () => {
  const page = await apiOf(served.base).list('alert', {
    state: 'open',
    level: 'red',
    rule: 'R32',
    baseline: false,
  })
  expect(page.items.length).toBeGreaterThan(0)
  expect(page.items.every((item) => item.level === 'red' && !item.baseline)).toBe(true)
})

test('a command repeated under its key has one effect; an old version conflicts', async () => {
  const api = apiOf(served.base, 'town')
  const c = served.gateway.add()
  const key = newKey()
  const first = await api.command(c.kind, c.id, 'sign', 1, key)
  const second = await api.command(c.kind, c.id, 'sign', 1, key)
  expect(isPending(first)).toBe(false)
  expect(second).toEqual(first)
  const problem = await problemOf(api.command(c.kind, c.id, 'close', 1, newKey(), { outcome: 'covered' }))
  expect([problem.kind, problem.code]).toEqual(['conflict', 'version_conflict'])
})

test('an expired token is told once to the session', async () => {
  let expired = 0
  const api = apiOf(served.base, 'nobody', 5_000, () => expired++)
  expect((await problemOf(api.me())).kind).toBe('expired')
  expect(expired).toBe(1)
})

test('no server is offline, a silent one is a timeout', async () => {
  expect((await problemOf(apiOf('http://127.0.0.1:1').me())).kind).toBe('offline')
  const silent = createServer(() => undefined)
  await new Promise<void>((ready) => silent.listen(0, '127.0.0.1', ready))
  const base = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  expect((await problemOf(apiOf(base, 'town', 100).me())).kind).toBe('timeout')
  silent.closeAllConnections()
  silent.close()
})
