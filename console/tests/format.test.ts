import { afterEach, expect, test } from 'vitest'
import { daysLeft, localDay, moment, showCode, showDay, showTime } from '../src/format'
import { language } from '../src/i18n'

// 00:30 on 23 November in China; still 22 November in UTC.
const NOW = new Date('2026-11-22T16:30:00Z')

afterEach(() => (language.value = 'zh'))

test('the day is the hub’s, not the machine’s', () => {
  expect(localDay(NOW)).toBe('2026-11-23')
  expect(daysLeft('2026-11-23', NOW)).toBe(0)
  expect(daysLeft('2026-11-20', NOW)).toBe(-3)
  expect(daysLeft('2027-01-01', NOW)).toBe(39)
})

test('moments come as milliseconds, seconds or ISO 8601', () => {
  expect(moment(1_795_364_000_000).getTime()).toBe(1_795_364_000_000)
  expect(moment(1_795_364_000).getTime()).toBe(1_795_364_000_000)
  expect(moment('1795364000000').getTime()).toBe(1_795_364_000_000)
  expect(moment('2026-11-22T16:30:00Z').getTime()).toBe(NOW.getTime())
})

test('times read as people say them', () => {
  expect(showTime('2026-11-22T16:05:00Z', NOW)).toBe('今天 00:05')
  expect(showTime('2026-11-22T15:05:00Z', NOW)).toBe('昨天 23:05')
  expect(showTime('2026-11-01T01:05:00Z', NOW)).toBe('11月1日 09:05')
  expect(showTime('nonsense', NOW)).toBe('')
  language.value = 'en'
  expect(showTime('2026-11-01T01:05:00Z', NOW)).toBe('1 Nov 09:05')
})

test('another year is named', () => {
  expect(showDay('2026-12-01', NOW)).toBe('12月1日')
  expect(showDay('2027-01-05', NOW)).toBe('2027年1月5日')
})

test('codes are grouped by county, township, village', () => {
  expect(showCode('990101001203')).toBe('990101 001 203')
  expect(showCode('990101')).toBe('990101')
})
