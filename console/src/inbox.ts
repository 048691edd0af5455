// One list of cases: pages, live changes, and what waits above the fold. Draws nothing.
import { computed, ref, shallowRef } from 'vue'
import {
  ApiProblem,
  type Api,
  type CaseEvent,
  type CaseFilter,
  type CaseKind,
  type CasePage,
  type CaseSummary,
} from './api'
import { moment } from './format'

const PAGE = 50
const GATHER_MS = 600 // changes of this span are answered by one request
const ENOUGH = 10
const SHORT_PAGES = 4
const SINGLES = 10 // changed cases further down the list that are fetched one by one

export const ranges: Record<CaseFilter['state'], readonly string[]> = {
  active: ['open', 'signed'],
  open: ['open'],
  signed: ['signed'],
  held: ['held'],
  closed: ['closed'],
}

/** Newest first, as the gateway lists them. */
function newestFirst(a: CaseSummary, b: CaseSummary): number {
  return moment(b.opened_at).getTime() - moment(a.opened_at).getTime() || (a.id < b.id ? 1 : -1)
}

export class Inbox {
  readonly items = shallowRef<CaseSummary[]>([])
  /** New cases that are not shown yet, so that the list does not move under the reader. */
  readonly waiting = shallowRef<CaseSummary[]>([])
  /** Cases that came in live, marked as new until opened. */
  readonly fresh = ref(new Set<string>())
  readonly total = ref(0)
  readonly busy = ref<'' | 'first' | 'more'>('')
  readonly problem = shallowRef<ApiProblem | null>(null)
  readonly filter = shallowRef<CaseFilter>({ state: 'active' })
  readonly ended = computed(() => this.cursor.value === null)

  private readonly cursor = ref<string | null>(null)
  private readonly changed = new Set<string>()
  private gap = false
  private round = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  /** @param mayMove true when new rows may slide in at the top at once */
  constructor(
    private readonly api: Pick<Api, 'list' | 'get'>,
    readonly kind: CaseKind,
    private readonly mayMove: () => boolean,
  ) {}

  async load(filter = this.filter.value): Promise<void> {
    const round = ++this.round
    // The same list loaded again stays in view until its successor is there, or if none comes.
    if (filter !== this.filter.value) this.items.value = []
    this.filter.value = filter
    this.waiting.value = []
    this.gap = false
    await this.fetch('first', round, async () => {
      const page = await this.page(null)
      if (round !== this.round) return
      this.items.value = page.items
      this.cursor.value = page.next_cursor
      this.total.value = page.total_estimate
    })
  }

  async more(): Promise<void> {
    const round = this.round
    if (this.cursor.value === null || this.busy.value) return
    await this.fetch('more', round, async () => {
      const page = await this.page(this.cursor.value)
      if (round !== this.round) return
      const known = new Set(this.items.value.map((item) => item.id))
      this.items.value = [...this.items.value, ...page.items.filter((item) => !known.has(item.id))]
      this.cursor.value = page.next_cursor
      this.total.value = page.total_estimate
    })
  }

  /** A change from the stream: known rows follow at once, the rest is looked up shortly after. */
  onChange(event: CaseEvent): void {
    if (event.kind !== this.kind) return
    const { level, state, version } = event
    const known = this.items.value.find((item) => item.id === event.case_id)
    if (known && known.version >= version) return
    if (known) {
      this.put({ ...known, level, state, version })
      this.changed.add(known.id)
    } else if (!ranges[this.filter.value.state].includes(state)) {
      this.waiting.value = this.waiting.value.filter((item) => item.id !== event.case_id)
      return
    }
    this.soon()
  }

  /** Looks for what is new without touching what is shown; many calls make one request. */
  soon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      void this.refresh()
    }, GATHER_MS)
  }

  /** Shows what waits. After a burst too large for one page the list starts afresh. */
  async show(): Promise<void> {
    if (this.gap) return this.load()
    const coming = this.waiting.value
    this.waiting.value = []
    const known = new Set(this.items.value.map((item) => item.id))
    const added = coming.filter((item) => !known.has(item.id))
    for (const item of added) this.fresh.value.add(item.id)
    this.items.value = [...added, ...this.items.value].sort(newestFirst)
  }

  /** Takes over a newer state of one row. */
  put(summary: CaseSummary): void {
    this.items.value = this.items.value.map((item) =>
      item.id === summary.id && item.version <= summary.version ? { ...item, ...summary } : item,
    )
  }

  /** A page that is worth showing: with a rare filter the gateway's own may come out nearly empty. */
  private async page(cursor: string | null): Promise<CasePage> {
    let page = await this.api.list(this.kind, this.filter.value, cursor, PAGE)
    for (let n = 1; n < SHORT_PAGES && page.next_cursor && page.items.length < ENOUGH; n++) {
      const next = await this.api.list(this.kind, this.filter.value, page.next_cursor, PAGE)
      page = { ...next, items: [...page.items, ...next.items] }
    }
    return page
  }

  private async refresh(): Promise<void> {
    if (this.busy.value === 'first') return this.soon()
    if (this.problem.value && this.items.value.length === 0) return this.load()
    const round = this.round
    const asked = [...this.changed]
    this.changed.clear()
    try {
      const page = await this.api.list(this.kind, this.filter.value, null, PAGE)
      if (round !== this.round) return
      this.problem.value = null
      this.total.value = page.total_estimate
      const known = new Map(this.items.value.map((item) => [item.id, item]))
      for (const item of page.items) if (known.has(item.id)) this.put(item)
      const last = this.items.value.at(-1)
      // Older than the last row: moved up from the next page, which the cursor still brings.
      const older = (item: CaseSummary): boolean => last !== undefined && newestFirst(last, item) < 0
      const fresh = page.items.filter((item) => !known.has(item.id) && !(this.cursor.value && older(item)))
      this.gap = known.size > 0 && fresh.length === page.items.length && page.items.length >= PAGE
      this.waiting.value = fresh
      if (fresh.length > 0 && !this.gap && this.mayMove()) await this.show()
      const onPage = new Set(page.items.map((item) => item.id))
      await this.fetchSingles(asked.filter((id) => !onPage.has(id)))
    } catch {
      // The connection's state says so already; the next change or reconnection looks again.
    }
  }

  private async fetchSingles(ids: string[]): Promise<void> {
    for (const id of ids.slice(0, SINGLES)) this.put(await this.api.get(this.kind, id))
  }

  private async fetch(what: 'first' | 'more', round: number, work: () => Promise<void>): Promise<void> {
    this.busy.value = what
    this.problem.value = null
    try {
      await work()
    } catch (error) {
      if (round === this.round) this.problem.value = error as ApiProblem
    } finally {
      if (round === this.round) this.busy.value = ''
    }
  }
}
