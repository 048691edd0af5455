// What the pages share: the live connection, and names that rarely change.
import { ref, shallowRef, watch } from 'vue'
import type { Division, Rule } from './api'
import { showCode } from './format'
import { language } from './i18n'
import { Live } from './live'
import { api, user } from './session'

export const live = new Live(api)
export const rules = shallowRef<Rule[]>([])
/** Places to filter by: those whose names are known, and those that the lists have shown. */
export const divisions = shallowRef<Division[]>([])
const named = ref(new Map<string, Division>())

function nameOf(code: string): string {
  const division = named.value.get(code)
  return (language.value === 'en' && division?.name_en) || division?.name || ''
}

/** The name of a division (an ended one's last), with its township's before it where both are known; else its code. */
export function placeName(code: string): string {
  const name = nameOf(code)
  if (!name) return showCode(code)
  const township = code.length > 9 ? nameOf(code.slice(0, 9)) : ''
  return township && !name.startsWith(township) ? `${township} ${name}` : name
}

/** Remembers places of a list, each village with its township. */
export function notePlaces(codes: Iterable<string>): void {
  const known = new Set(divisions.value.map((d) => d.code))
  const found = new Set([...codes].flatMap((code) => [code.slice(0, 9), code]))
  const added = [...found].filter((code) => code.length >= 9 && !known.has(code))
  if (added.length === 0) return
  divisions.value = [...divisions.value, ...added.map((code) => ({ code, name: '', name_en: '' }))].sort(
    (a, b) => a.code.localeCompare(b.code),
  )
}

export const isNamed = (code: string): boolean => Boolean(nameOf(code))

async function learn(): Promise<void> {
  // Without these lists the page still works: codes stand for names, and rules can be typed.
  const place = user.value?.division ?? ''
  const [rulesFound, divisionsFound, endedFound] = await Promise.allSettled([
    api.rules(),
    api.divisions(place),
    api.divisions(place, true),
  ])
  if (rulesFound.status === 'fulfilled') rules.value = rulesFound.value
  if (divisionsFound.status === 'fulfilled') {
    const seen = divisions.value
    divisions.value = divisionsFound.value
    notePlaces(seen.map((d) => d.code))
  }
  const today = divisionsFound.status === 'fulfilled' ? divisionsFound.value : []
  const ended = endedFound.status === 'fulfilled' ? endedFound.value : []
  named.value = new Map([...ended, ...today].map((d) => [d.code, d]))
}

export function startHub(): void {
  watch(
    () => user.value?.username,
    (username) => {
      live.stop()
      if (!username) return
      live.start()
      void learn()
    },
    { immediate: true },
  )
}
