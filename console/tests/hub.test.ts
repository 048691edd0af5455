// Names of places: in the language of the page, a village with its township, codes where nobody named them.
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

vi.mock('../src/session', async () => {
  const { ref } = await import('vue')
  return {
    user: ref({ username: 'town', division: '990101' }),
    api: {
      rules: () => Promise.resolve([]),
      divisions: (_: string, ended = false) =>
        Promise.resolve(
          ended
            ? [{ code: '990101201', name: '乙乡', name_en: '' }]
            : [
                { code: '990101101', name: '甲镇', name_en: 'Jia Town' },
                { code: '990101101201', name: '子村', name_en: 'Zi Village' },
                { code: '990101102', name: '乙镇', name_en: '' },
              ],
        ),
    },
  }
})
vi.mock('../src/live', () => ({
  Live: vi.fn(function () {
    return { start: vi.fn(), stop: vi.fn() }
  }),
}))

const { divisions, isNamed, placeName, startHub } = await import('../src/hub')
const { language } = await import('../src/i18n')

beforeAll(async () => {
  startHub()
  await vi.waitFor(() => expect(isNamed('990101101')).toBe(true))
})
afterAll(() => {
  language.value = 'zh'
})

test('a village is named with its township, in the language of the page', () => {
  language.value = 'zh'
  expect(placeName('990101101201')).toBe('甲镇 子村')
  language.value = 'en'
  expect(placeName('990101101201')).toBe('Jia Town Zi Village')
})

test('without an English name the Chinese one stands, without any the code', () => {
  language.value = 'en'
  expect(placeName('990101102')).toBe('乙镇')
  expect(isNamed('990101103')).toBe(false)
  expect(placeName('990101103')).toMatch(/990101/)
})

test('a code that has ended is shown under its last name, and is no place to choose', () => {
  language.value = 'zh'
  expect(placeName('990101201')).toBe('乙乡')
  expect(divisions.value.map((d) => d.code)).not.toContain('990101201')
})
