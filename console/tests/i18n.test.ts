import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { language, side, t, term, toggleLanguage } from '../src/i18n'
import { en } from '../src/i18n/en'
import { zh } from '../src/i18n/zh'

const slots = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort()

afterEach(() => (language.value = 'zh'))

test('both languages have the same keys, in the same order', () => {
  expect(Object.keys(en)).toEqual(Object.keys(zh))
})

test('no text is empty, and both name the same values', () => {
  for (const key of Object.keys(zh) as (keyof typeof zh)[]) {
    expect(zh[key].trim(), key).not.toBe('')
    expect(en[key].trim(), key).not.toBe('')
    expect(slots(en[key]), key).toEqual(slots(zh[key]))
  }
})

test('Chinese is set with Chinese punctuation', () => {
  for (const [key, text] of Object.entries(zh)) expect(text, key).not.toMatch(/[一-鿿][,;:?!(]|[,;:)][一-鿿]/)
})

test('every text is used somewhere', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((f) => /\.(vue|ts)$/.test(f))
  const source = files
    .filter((f) => !/zh\.ts|en\.ts/.test(f))
    .map((f) => readFileSync(join('src', f), 'utf8'))
    .join('\n')
  const groups =
    /^(role|tier|department|class|cause|subject|level|state|live|finding|sheet\.rigid|sheet\.fit|refusal|problem|identity|inbox|conflict)\./
  const unused = Object.keys(zh).filter((key) => !source.includes(`'${key}'`) && !groups.test(key))
  expect(unused).toEqual([])
})

test('switching changes texts and the language of the document', async () => {
  expect(t('due.left', { n: 3 })).toBe('还剩 3 天')
  toggleLanguage()
  expect(t('due.left', { n: 3 })).toBe('3 days left')
  await Promise.resolve()
  expect(document.documentElement.lang).toBe('en')
})

test('codes without a word stay as they are', () => {
  expect(term('department', 'medical')).toBe('医保')
  expect(term('department', 'meteorology')).toBe('meteorology')
})

test('a text of the gateway in both languages shows one side', () => {
  expect(side('已经办结｜Closed already')).toBe('已经办结')
  language.value = 'en'
  expect(side('已经办结｜Closed already')).toBe('Closed already')
  expect(side('只有中文')).toBe('只有中文')
})
