// A list's filter as the query of its address, and back. Unknown or broken values are left out.
import type { LocationQuery } from 'vue-router'
import type { CaseFilter, CaseState, Level } from './api'

const STATES: readonly string[] = ['open', 'signed', 'held', 'closed']
const LEVELS: readonly string[] = ['red', 'orange', 'yellow']

export function fromQuery(query: LocationQuery): CaseFilter {
  const one = (name: string): string => String(query[name] ?? '')
  const filter: CaseFilter = { state: STATES.includes(one('state')) ? (one('state') as CaseState) : 'active' }
  if (LEVELS.includes(one('level'))) filter.level = one('level') as Level
  if (/^\w{1,12}$/.test(one('rule'))) filter.rule = one('rule')
  if (/^(\d{2}|\d{4}|\d{6}|\d{9}|\d{12})$/.test(one('division'))) filter.division = one('division')
  if (['true', 'false'].includes(one('baseline'))) filter.baseline = one('baseline') === 'true'
  return filter
}

export function toQuery(filter: CaseFilter): Record<string, string> {
  const { state, ...rest } = filter
  const query: Record<string, string> = state === 'active' ? {} : { state }
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) query[name] = String(value)
  return query
}
