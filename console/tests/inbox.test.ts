import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CaseDetail, CaseEvent } from '../src/api'
import { Inbox } from '../src/inbox'
import { apiOf, serve, until, type Served } from './serve'

let served: Served
let moving = false

beforeEach(async () => {
  served = await serve(130)
  moving = false
})
afterEach(() => served.stop())

function alert(): CaseDetail {
  for (;;) {
    const made = served.gateway.add()
    if (made.kind === 'alert') return made
  }
}

function eventOf(c: CaseDetail, event = 'opened'): CaseEvent {
  const { id, kind, department, division, level, state, version } = c
  return { case_id: id, event, kind, department, division, level, state, version }
}

async function open(): Promise<Inbox> {
  const inbox = new Inbox(apiOf(served.base), 'alert', () => moving)
  await inbox.load()
  return inbox
}

test('what is new waits until the reader wants it', async () => {
  const inbox = await open()
  const before = inbox.items.value
  const made = alert()
  inbox.onChange(eventOf(made))
  await until(() => inbox.waiting.value.length > 0)
  expect(inbox.items.value).toEqual(before)
  await inbox.show()
  expect(inbox.items.value[0]?.id).toBe(made.id)
  expect(inbox.fresh.value.has(made.id)).toBe(true)
  expect(inbox.waiting.value).toEqual([])
})

test('at the top of the list it slides in by itself', async () => {
  const inbox = await open()
  moving = true
  const made = alert()
  inbox.onChange(eventOf(made))
  await until(() => inbox.items.value[0]?.id === made.id)
  expect(inbox.waiting.value).toEqual([])
})

test('a known row follows at once and never goes back', async () => {
  const inbox = await open()
  const row = inbox.items.value[3]
  if (!row) throw new Error('no row')
  const c = served.gateway.cases.get(row.id) as CaseDetail
  Object.assign(c, { state: 'closed', version: 3 })
  inbox.onChange(eventOf(c, 'closed'))
  expect(inbox.items.value[3]).toMatchObject({ id: row.id, state: 'closed', version: 3 })
  inbox.onChange({ ...eventOf(c, 'signed'), state: 'signed', version: 2 })
  expect(inbox.items.value[3]?.state).toBe('closed')
})

test('pages follow one another, and a moved border is not taken for new', async () => {
  const inbox = await open()
  const first = inbox.items.value
  const c = served.gateway.cases.get(first[0]?.id ?? '') as CaseDetail
  Object.assign(c, { state: 'closed', version: 2 })
  inbox.onChange(eventOf(c, 'closed'))
  await new Promise((done) => setTimeout(done, 900))
  expect(inbox.waiting.value).toEqual([])
  await inbox.more()
  await inbox.more()
  const ids = inbox.items.value.map((item) => item.id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(inbox.ended.value).toBe(true)
})

test('after a burst larger than a page the list starts afresh', async () => {
  const inbox = await open()
  for (let n = 0; n < 60; n++) alert()
  inbox.soon()
  await until(() => inbox.waiting.value.length >= 50)
  await inbox.show()
  expect(inbox.items.value).toHaveLength(50)
  expect(inbox.waiting.value).toEqual([])
})

test('a case outside the filter is not fetched', async () => {
  const inbox = await open()
  const made = alert()
  inbox.onChange({ ...eventOf(made), state: 'closed' })
  await new Promise((done) => setTimeout(done, 900))
  expect(inbox.waiting.value).toEqual([])
})

test('a failed load says why and can be repeated', async () => {
  const inbox = await open()
  await served.stop()
  await inbox.load()
  expect(inbox.problem.value?.kind).toBe('offline')
  served = await serve(3)
})
