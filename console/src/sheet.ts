// The income sheet's form: what is typed, as the gateway takes it, worked out live and saved. Decides nothing.
import { computed, reactive, ref, shallowRef, watch } from 'vue'
import type { Api, ApiProblem, Reckoned, SheetBody } from './api'
import { newKey } from './command'

export interface IncomeForm {
  id: number
  kind: string
  year: string
  cost: string
}

export interface MemberForm {
  id: number
  age: string
  ability: string
  none: boolean
  incomes: IncomeForm[]
}

export interface SheetForm {
  authorisation: string
  checkedOn: string
  assets: '' | 'yes' | 'no'
  finding: string
  medical: string
  schooling: string
  care: string
  members: MemberForm[]
}

export type Saving = 'idle' | 'sending' | 'saved' | 'conflict' | 'failed'

const AUTHORISATION = /^[0-9A-Za-z_.-]{1,32}$/
const YUAN = /^(\d{1,9})(?:\.(\d{1,2}))?$/
const WAIT_MS = 300

/** Kinds from which the costs of earning are deducted. */
export const COSTED = ['wages', 'wages_reference', 'business']
/** Wages by the local reference have no amount of their own. */
export const REFERENCE = 'wages_reference'

/** Fen of an amount in yuan; null: left empty, so not known; undefined: no amount. */
export function fen(yuan: string): number | null | undefined {
  const typed = yuan.replaceAll(/[,，\s]/g, '')
  if (typed === '') return null
  const found = YUAN.exec(typed)
  return found ? Number(found[1]) * 100 + Number((found[2] ?? '').padEnd(2, '0')) : undefined
}

export function age(typed: string): number | undefined {
  return /^\d{1,3}$/.test(typed.trim()) && Number(typed) <= 130 ? Number(typed) : undefined
}

export const isAuthorisation = (typed: string): boolean => AUTHORISATION.test(typed.trim())

/** The body of a request; null while something typed is no amount, no age or no day. */
export function bodyOf(form: SheetForm): SheetBody | null {
  const spent = [fen(form.medical), fen(form.schooling), fen(form.care)]
  const members = form.members.map((m) => {
    const years = age(m.age)
    const incomes = m.none
      ? []
      : m.incomes.map((i) => ({
          kind: i.kind,
          year_fen: i.kind === REFERENCE ? null : fen(i.year),
          cost_year_fen: COSTED.includes(i.kind) ? (fen(i.cost) === null ? 0 : fen(i.cost)) : 0,
        }))
    const bad = incomes.some((i) => i.year_fen === undefined || i.cost_year_fen === undefined)
    return years === undefined || !m.ability || bad
      ? null
      : { age: years, ability: m.ability, no_income: m.none, incomes }
  })
  if (!members.length || members.includes(null) || spent.includes(undefined)) return null
  if (!/^\d{4}-\d{2}-\d{2}$/.test(form.checkedOn)) return null
  return {
    sheet: {
      checked_on: form.checkedOn,
      assets_ok: form.assets === '' ? null : form.assets === 'yes',
      finding: form.assets === 'no' ? form.finding : 'none',
      medical_year_fen: spent[0] ?? null,
      schooling_year_fen: spent[1] ?? null,
      care_year_fen: spent[2] ?? null,
      members,
    },
    authorisation: isAuthorisation(form.authorisation) ? form.authorisation.trim() : '',
  }
}

export class IncomeSheet {
  readonly form: SheetForm
  readonly result = shallowRef<Reckoned | null>(null)
  readonly problem = shallowRef<ApiProblem | null>(null)
  readonly saving = ref<Saving>('idle')
  readonly busy = ref(false)
  /** The version that the officer saw under the authorisation typed; a later one is never overwritten unseen. */
  readonly seen = shallowRef<{ authorisation: string; version: number } | null>(null)
  readonly body = computed(() => bodyOf(this.form))
  readonly savable = computed(
    () =>
      this.body.value !== null &&
      this.body.value.authorisation !== '' &&
      this.seen.value?.authorisation === this.body.value.authorisation &&
      this.result.value?.income_month_fen !== null &&
      !this.busy.value &&
      !['sending', 'saved'].includes(this.saving.value),
  )
  private ids = 0
  private turn = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private wish = ''
  private key = ''

  constructor(
    private readonly api: Pick<Api, 'sheetCompute' | 'sheetSave'>,
    private readonly id: string,
    today: string,
  ) {
    this.form = reactive<SheetForm>({
      authorisation: '',
      checkedOn: today,
      assets: '',
      finding: 'none',
      medical: '',
      schooling: '',
      care: '',
      members: [],
    })
    watch(this.body, (body, before) => {
      if (JSON.stringify(body) === JSON.stringify(before)) return
      if (this.saving.value !== 'sending') this.saving.value = 'idle'
      this.later()
    })
  }

  addMember(ability: string | null = null, years = ''): void {
    this.form.members.push({
      id: ++this.ids,
      age: years,
      ability: ability ?? '',
      none: false,
      incomes: [],
    })
  }

  addIncome(member: MemberForm, kind = 'wages'): void {
    member.none = false
    member.incomes.push({ id: ++this.ids, kind, year: '', cost: '' })
  }

  stop(): void {
    clearTimeout(this.timer)
    this.turn++
  }

  private later(): void {
    this.stop()
    this.busy.value = this.body.value !== null
    if (this.body.value === null) this.result.value = null
    else this.timer = setTimeout(() => void this.compute(), WAIT_MS)
  }

  /** Works the sheet out; of several answers the last question's counts. */
  async compute(): Promise<void> {
    const body = this.body.value
    if (!body) return
    const turn = ++this.turn
    try {
      const found = await this.api.sheetCompute(this.id, body)
      if (turn !== this.turn) return
      this.result.value = found
      this.problem.value = null
      if (found.version !== undefined && this.seen.value?.authorisation !== body.authorisation) {
        this.seen.value = { authorisation: body.authorisation, version: found.version }
      }
    } catch (error) {
      if (turn !== this.turn) return
      this.result.value = null
      this.problem.value = error as ApiProblem
    } finally {
      if (turn === this.turn) this.busy.value = false
    }
  }

  /** Looks at the version that stands now, after somebody else has saved one. */
  async lookAgain(): Promise<void> {
    this.seen.value = null
    this.saving.value = 'idle'
    await this.compute()
  }

  /** Saves what was worked out. The same wish goes under the same key, however often it is sent. */
  async save(): Promise<void> {
    const [body, seen] = [this.body.value, this.seen.value]
    if (!body || !seen || !this.savable.value) return
    const wish = JSON.stringify([body, seen.version])
    if (wish !== this.wish) [this.wish, this.key] = [wish, newKey()]
    this.saving.value = 'sending'
    this.problem.value = null
    try {
      const saved = await this.api.sheetSave(this.id, body, seen.version, this.key)
      this.seen.value = { authorisation: body.authorisation, version: saved.version ?? 0 }
      this.result.value = saved
      this.saving.value = 'saved'
    } catch (error) {
      const problem = error as ApiProblem
      this.saving.value = problem.code === 'sheet_conflict' ? 'conflict' : 'failed'
      if (this.saving.value === 'failed') this.problem.value = problem
    }
  }
}
