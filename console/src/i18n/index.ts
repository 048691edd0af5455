// Which language the page speaks, and the texts in it. Chinese comes first.
import { ref, watchEffect } from 'vue'
import { en } from './en'
import { zh, type Key } from './zh'

export type Language = 'zh' | 'en'
export type { Key }

const STORED = 'doudi.language'

export const language = ref<Language>(localStorage.getItem(STORED) === 'en' ? 'en' : 'zh')

watchEffect(() => {
  document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en'
  localStorage.setItem(STORED, language.value)
})

export function toggleLanguage(): void {
  language.value = language.value === 'zh' ? 'en' : 'zh'
}

export function t(key: Key, values: Record<string, string | number> = {}): string {
  const text = language.value === 'zh' ? zh[key] : en[key]
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** A text whose key comes from data (a role, a tier): the code itself where the page has no word for it. */
export function term(group: string, code: string): string {
  const key = `${group}.${code}`
  return key in zh ? t(key as Key) : code
}

/** One of a pair that the gateway sends; the other where one is empty. */
export function pick(chinese: string, english: string): string {
  return language.value === 'zh' ? chinese || english : english || chinese
}

/** The part in the page's language of a text that the gateway writes as "中文｜English". */
export function side(text: string): string {
  const [chinese = '', english = ''] = text.split('｜', 2)
  return pick(chinese.trim(), english.trim())
}
