// The income sheet's form: amounts, what is known and what is not, the last answer, one wish one key, conflicts.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import { ApiProblem, type Reckoned, type SheetBody } from '../src/api'
import { age, bodyOf, fen, IncomeSheet, isAuthorisation } from '../src/sheet'

const reckoned = (version: number, income: number | null = 1): Reckoned => ({
  lines: [],
  fits: [],
  proposal: '',
  proposal_zh: '',
  proposal_en: '',
  income_year_fen: income,
  income_month_fen: income,
  after_rigid_month_fen: income,
  referred: false,
  version,
})

const compute = vi.fn<(id: string, body: SheetBody) => Promise<Reckoned>>()
const save = vi.fn<(id: string, body: SheetBody, version: number, key: string) => Promise<Reckoned>>()

function filled(): IncomeSheet {
  const sheet = new IncomeSheet({ sheetCompute: compute, sheetSave: save }, 'a', '2026-06-01')
  sheet.addMember('full', '41')
  sheet.form.authorisation = 'SQ1'
  return sheet
}

async function settle(): Promise<void> {
  await nextTick()
  await vi.advanceTimersByTimeAsync(400)
}

beforeEach(() => {
  vi.useFakeTimers()
  compute.mockReset().mockResolvedValue(reckoned(0))
  save.mockReset().mockResolvedValue(reckoned(7))
})
afterEach(() => vi.useRealTimers())

describe('what is typed', () => {
  it('is fen of yuan, nothing where it is left empty, and no amount where it is none', () => {
    expect(['1200', '1200.5', '1,200.05', '0', ' '].map(fen)).toEqual([120000, 120050, 120005, 0, null])
    expect(['1200.555', '-1', 'x', '1.', '1e3', '12345678901'].map(fen)).toEqual(Array(6).fill(undefined))
    expect(['0', '130', '131', '', '4.5'].map(age)).toEqual([0, 130, undefined, undefined, undefined])
    expect(['SQ-1', '', '授权', 'x'.repeat(33)].map(isAuthorisation)).toEqual([true, false, false, false])
  })

  it('stays unknown until it is known', () => {
    const { form } = filled()
    const member = form.members[0]
    if (!member) throw new Error('no member')
    const first = bodyOf(form)?.sheet as { members: unknown[]; medical_year_fen: unknown; assets_ok: unknown }
    expect(first.members).toEqual([{ age: 41, ability: 'full', no_income: false, incomes: [] }])
    expect([first.medical_year_fen, first.assets_ok]).toEqual([null, null])
    member.incomes.push({ id: 9, kind: 'wages', year: '', cost: '' })
    member.incomes.push({ id: 10, kind: 'wages_reference', year: '5', cost: '1' })
    member.incomes.push({ id: 11, kind: 'property', year: '5', cost: '1' })
    const second = bodyOf(form)?.sheet as { members: { incomes: unknown[] }[] }
    expect(second.members[0]?.incomes).toEqual([
      { kind: 'wages', year_fen: null, cost_year_fen: 0 },
      { kind: 'wages_reference', year_fen: null, cost_year_fen: 100 },
      { kind: 'property', year_fen: 500, cost_year_fen: 0 },
    ])
    form.medical = 'much'
    expect(bodyOf(form)).toBeNull()
  })
})

describe('worked out and saved', () => {
  it('asks once for a burst of keys, and the last answer counts', async () => {
    const sheet = filled()
    await settle()
    compute.mockReset()
    let slow: (found: Reckoned) => void = () => undefined
    compute.mockImplementationOnce(() => new Promise((done) => (slow = done)))
    compute.mockResolvedValueOnce(reckoned(0, 2))
    for (const typed of ['1', '12', '123']) {
      sheet.form.medical = typed
      await nextTick()
    }
    await settle()
    expect(compute).toHaveBeenCalledTimes(1)
    sheet.form.medical = '1234'
    await settle()
    slow(reckoned(0, 1))
    await settle()
    expect(sheet.result.value?.income_month_fen).toBe(2)
  })

  it('cannot be saved without authorisation or income', async () => {
    const sheet = filled()
    await settle()
    expect(sheet.savable.value).toBe(true)
    sheet.form.authorisation = ''
    await settle()
    expect(sheet.savable.value).toBe(false)
    sheet.form.authorisation = 'SQ2'
    compute.mockResolvedValue(reckoned(0, null))
    await settle()
    expect(sheet.savable.value).toBe(false)
  })

  it('sends the same wish under the same key, and another under another', async () => {
    const sheet = filled()
    await settle()
    save.mockRejectedValueOnce(new ApiProblem('timeout'))
    await sheet.save()
    expect(sheet.saving.value).toBe('failed')
    await sheet.save()
    expect(sheet.saving.value).toBe('saved')
    sheet.form.medical = '5'
    await settle()
    await sheet.save()
    const [first, second, third] = save.mock.calls.map(([, , version, key]) => ({ version, key }))
    expect(second).toEqual(first)
    expect(third?.version).toBe(7)
    expect(third?.key).not.toBe(first?.key)
  })

  it('never overwrites what was not seen', async () => {
    const sheet = filled()
    await settle()
    save.mockRejectedValueOnce(new ApiProblem('conflict', 409, 'sheet_conflict'))
    await sheet.save()
    expect(sheet.saving.value).toBe('conflict')
    compute.mockResolvedValue(reckoned(9))
    sheet.form.medical = '6'
    await settle()
    expect(sheet.seen.value?.version).toBe(0)
    await sheet.lookAgain()
    await sheet.save()
    expect(save.mock.lastCall?.[2]).toBe(9)
  })
})
