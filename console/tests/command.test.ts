import { expect, test } from 'vitest'
import { ApiProblem, type CaseSummary, type CommandStatus, type Pending } from '../src/api'
import { Command, newKey } from '../src/command'
import { until } from './serve'

type Answer = CaseSummary | Pending | ApiProblem

function commandOf(
  answers: Answer[],
  statuses: CommandStatus[] = [],
): { command: Command; keys: string[]; done: number[] } {
  const keys: string[] = []
  const done: number[] = []
  const api = {
    command: async (_kind: string, _id: string, _action: string, _version: number, key: string) => {
      keys.push(key)
      const next = answers.shift()
      if (next instanceof ApiProblem) throw next
      return next as CaseSummary | Pending
    },
    commandStatus: async () => statuses.shift() as CommandStatus,
  }
  return { command: new Command(api, 'alert', 'a', () => done.push(1)), keys, done }
}

const accepted = { id: 'a', version: 2 } as CaseSummary
const status = (state: CommandStatus['status'], refusal: string | null = null): CommandStatus => ({
  status: state,
  refusal,
  case_id: 'a',
  version: 2,
})

test('a retry after silence carries the same key, a new wish a new one', async () => {
  const { command, keys, done } = commandOf([new ApiProblem('timeout'), accepted, accepted])
  await command.send('sign', 1)
  expect(command.stage.value).toBe('failed')
  await command.retry()
  expect([command.stage.value, done.length]).toEqual(['accepted', 1])
  await command.send('close', 2, 'covered')
  expect(keys[0]).toBe(keys[1])
  expect(keys[2]).not.toBe(keys[0])
})

test('a pending command is asked after until it is accepted', async () => {
  const pending = { command_id: 'k', status: 'pending' } as const
  const { command } = commandOf([pending], [status('pending'), status('accepted')])
  await command.send('sign', 1)
  expect(command.stage.value).toBe('pending')
  await command.ask()
  expect(command.stage.value).toBe('pending')
  await until(() => command.stage.value === 'accepted')
})

test('conflicts and refusals are told apart', async () => {
  const conflict = commandOf([new ApiProblem('conflict', 409, 'already_closed')])
  await conflict.command.send('close', 1, 'covered')
  expect([conflict.command.stage.value, conflict.command.refusal.value]).toEqual([
    'conflict',
    'already_closed',
  ])
  const refused = commandOf([{ command_id: 'k', status: 'pending' }], [status('refused', 'out_of_scope')])
  await refused.command.send('sign', 1)
  await refused.command.ask()
  expect([refused.command.stage.value, refused.command.refusal.value]).toEqual(['refused', 'out_of_scope'])
})

test('keys are long and never the same', () => {
  expect(newKey()).toMatch(/^[0-9a-f]{32}$/)
  expect(newKey()).not.toBe(newKey())
})
