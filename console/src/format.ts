// Dates, money and codes as people here read them. The hub's day is Asia/Shanghai, whatever the machine says.
import { language, t } from './i18n'

const ZONE = 'Asia/Shanghai'
const DAY_MS = 86_400_000

const locale = (): string => (language.value === 'zh' ? 'zh-CN' : 'en-GB')

const SECONDS_BELOW = 1e11 // as milliseconds this would be 1973

/** A moment from the gateway: milliseconds or seconds since 1970, or ISO 8601. */
export function moment(value: string | number): Date {
  if (!/^\d+$/.test(String(value))) return new Date(value)
  const number = Number(value)
  return new Date(number < SECONDS_BELOW ? number * 1000 : number)
}

/** The local date as YYYY-MM-DD. */
export function localDay(at: Date): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: ZONE, dateStyle: 'short' }).format(at)
}

function dayNumber(day: string): number {
  return Math.round(Date.parse(`${day.slice(0, 10)}T00:00:00Z`) / DAY_MS)
}

/** Days from today to a local date; negative when it is past. */
export function daysLeft(day: string, now = new Date()): number {
  return dayNumber(day) - dayNumber(localDay(now))
}

export function showDay(day: string, now = new Date()): string {
  const at = new Date(`${day.slice(0, 10)}T12:00:00+08:00`)
  if (Number.isNaN(at.getTime())) return day
  const sameYear = day.slice(0, 4) === localDay(now).slice(0, 4)
  return new Intl.DateTimeFormat(locale(), {
    timeZone: ZONE,
    month: language.value === 'zh' ? 'long' : 'short',
    day: 'numeric',
    ...(sameYear ? {} : { year: 'numeric' }),
  }).format(at)
}

/** A month written YYYY-MM. */
export function showMonth(month: string): string {
  const at = new Date(`${month}-15T12:00:00+08:00`)
  if (Number.isNaN(at.getTime())) return month
  const parts = { year: 'numeric', month: language.value === 'zh' ? 'long' : 'short' } as const
  return new Intl.DateTimeFormat(locale(), { timeZone: ZONE, ...parts }).format(at)
}

export function showTime(value: string | number, now = new Date()): string {
  const at = moment(value)
  if (Number.isNaN(at.getTime())) return ''
  const time = new Intl.DateTimeFormat(locale(), {
    timeZone: ZONE,
    hour: '2-digit',
    minute: '2-digit',
    hour12: false,
  }).format(at)
  const ago = -daysLeft(localDay(at), now)
  if (ago === 0) return t('time.today', { time })
  if (ago === 1) return t('time.yesterday', { time })
  return `${showDay(localDay(at), now)} ${time}`
}

/** 990101001203 → 990101 001 203: county, township, village. */
export function showCode(division: string): string {
  return [division.slice(0, 6), division.slice(6, 9), division.slice(9, 12)].filter(Boolean).join(' ')
}

/** A case's number short enough to read out; the full one stands in the address. */
export function shortId(id: string): string {
  return id.slice(0, 8).toUpperCase()
}
