// Who is signed in. The token lives in memory and in this tab's sessionStorage, nowhere else.
import { computed, shallowRef } from 'vue'
import { Api, type CaseKind, type Token } from './api'
import { moment } from './format'

const STORED = 'doudi.session'
const LONGEST_TIMER_MS = 2 ** 31 - 1

export type Ending = 'none' | 'expired' | 'goodbye'

export const ending = shallowRef<Ending>('none')
const session = shallowRef<Token | null>(restore())
let timer: ReturnType<typeof setTimeout> | undefined

export const user = computed(() => session.value?.user ?? null)
export const api = new Api(
  () => session.value?.token ?? '',
  () => end('expired'),
)

/** Which lists this user has: liaisons their tasks, civil affairs and auditors both. */
export const kinds = computed<CaseKind[]>(() =>
  user.value === null ? [] : user.value.role === 'department' ? ['task'] : ['alert', 'task'],
)

/** Whether this user sees when entries of the roster are to be re-certified: civil affairs and auditors. */
export const hasCalendar = computed(() => user.value !== null && user.value.role !== 'department')

function leftMs(token: Token): number {
  const expires = moment(token.expires_at).getTime()
  return Number.isNaN(expires) ? LONGEST_TIMER_MS : expires - Date.now()
}

function restore(): Token | null {
  try {
    const token = JSON.parse(sessionStorage.getItem(STORED) ?? 'null') as Token | null
    if (token === null) return null
    if (leftMs(token) <= 0) {
      sessionStorage.removeItem(STORED)
      ending.value = 'expired'
      return null
    }
    return token
  } catch {
    sessionStorage.removeItem(STORED)
    return null
  }
}

function watchExpiry(): void {
  clearTimeout(timer)
  if (session.value) {
    timer = setTimeout(() => end('expired'), Math.min(leftMs(session.value), LONGEST_TIMER_MS))
  }
}

export function begin(token: Token): void {
  session.value = token
  ending.value = 'none'
  sessionStorage.setItem(STORED, JSON.stringify(token))
  watchExpiry()
}

export function end(reason: Ending): void {
  session.value = null
  ending.value = reason
  sessionStorage.removeItem(STORED)
  clearTimeout(timer)
}

watchExpiry()
