import { expect, test } from 'vitest'
import { fromQuery, toQuery } from '../src/filter'

test('a filter survives the address', () => {
  const query = { state: 'closed', level: 'red', rule: 'R01', division: '990101001', baseline: 'false' }
  expect(toQuery(fromQuery(query))).toEqual(query)
  expect(toQuery(fromQuery({}))).toEqual({})
})

test('what is not a filter is left out', () => {
  const hostile = { state: 'x', level: '<b>', rule: 'R01;drop', division: '12345', baseline: 'maybe' }
  expect(fromQuery(hostile)).toEqual({ state: 'active' })
})
