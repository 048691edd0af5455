// The gateway's API, version 1: its types and one function a route. Knows nothing of the page.

export type Level = 'red' | 'orange' | 'yellow'
export type CaseState = 'open' | 'signed' | 'closed' | 'held'
export type CaseKind = 'alert' | 'task'
export type Role = 'village' | 'township' | 'county' | 'department' | 'auditor'
export type Purpose = 'visit' | 'verify' | 'contact'
export type Action = 'sign' | 'close' | 'release'

export interface User {
  username: string
  name: string
  role: Role
  department: string
  division: string
}

export interface Token {
  token: string
  expires_at: string | number
  user: User
}

export interface RuleTitle {
  id: string
  title_zh: string
  title_en: string
}

export interface CaseSummary {
  id: string
  version: number
  kind: CaseKind
  state: CaseState
  level: Level
  rule_class: string
  department: string
  division: string
  rules: RuleTitle[]
  subject_kind: string
  opened_at: string | number
  updated_at: string | number
  due_on: string | null
  overdue: boolean
  baseline: boolean
  signed_by: string
  outcome: string
  headline_zh: string
  headline_en: string
  signed_at?: string | number | null
  closed_at?: string | number | null
  closed_by?: string
}

export interface Fact {
  name: string
  label_zh: string
  label_en: string
  value: unknown
  text: string
  text_en?: string
}

export interface Threshold extends Fact {
  from: string | null
  region: string | null
  source: string | null
  source_zh?: string | null
  source_en?: string | null
  product_default?: boolean
}

export interface Legal {
  text_zh: string
  text_en: string
  ref: string
}

export interface SourceRecord {
  topic: string
  partition: number
  offset: number
  record_id: string
}

export interface Condition {
  condition_id: string
  rule: string
  rule_version: number
  title_zh: string
  title_en: string
  state: 'standing' | 'ended'
  cause: string
  level: Level
  step: number
  tier: string
  tier_zh?: string
  tier_en?: string
  episode: string
  as_of: string
  facts: Fact[]
  thresholds: Threshold[]
  legal: Legal[]
  records: SourceRecord[]
  sentence_zh: string
  sentence_en: string
}

export interface Outcome {
  code: string
  label_zh: string
  label_en: string
}

export interface CaseDetail extends CaseSummary {
  conditions: Condition[]
  outcomes: Outcome[]
  actions: Action[]
  sheet: boolean
}

export interface Labelled {
  code: string
  label_zh: string
  label_en: string
}

export interface SheetStart {
  asked: string
  members: { ability: string | null }[]
  kinds: Labelled[]
  abilities: Labelled[]
}

export interface SheetBody {
  sheet: object
  authorisation: string
}

export interface SheetLine {
  code: string
  member: number
  title_zh: string
  title_en: string
  formula: string
  amount_fen: number | null
  parameters: Threshold[]
}

export interface SheetFit {
  tier: string
  tier_zh: string
  tier_en: string
  holds: boolean | null
  formula_zh: string
  formula_en: string
  parameters: Threshold[]
  standard_fen: number | null
}

export interface Reckoned {
  lines: SheetLine[]
  fits: SheetFit[]
  proposal: string
  proposal_zh: string
  proposal_en: string
  income_year_fen: number | null
  income_month_fen: number | null
  after_rigid_month_fen: number | null
  referred: boolean
  version?: number
}

export interface CasePage {
  items: CaseSummary[]
  next_cursor: string | null
  total_estimate: number
}

export interface Identity {
  name: string | null
  id_number: string | null
  telephone: string | null
  address: string | null
}

export interface Pending {
  command_id: string
  status: 'pending'
}

export interface CommandStatus {
  status: 'pending' | 'accepted' | 'refused'
  refusal: string | null
  case_id: string | null
  version: number | null
}

export interface Rule extends RuleTitle {
  version: number
  class: string
  kind: CaseKind
  department: string
  level: Level
}

/** Entries of the roster to be re-certified: how many in which month (or overdue, undated), and those due first. */
export interface Calendar {
  on: string
  until: string
  division: string
  counts: { month: string; tier: string; town: string; entries: number }[]
  entries: {
    entry: string
    tier: string
    /** A, B or C; empty for none. */
    review_class: string
    division: string
    why: 'period' | 'taper'
    month: string
    due_on: string | null
    last: string | null
  }[]
}

/** `name` is Chinese and may be empty, `name_en` English and may be empty. */
export interface Division {
  code: string
  name: string
  name_en: string
}

export interface CaseEvent {
  case_id: string
  event: string
  kind: CaseKind
  department: string
  division: string
  level: Level
  state: CaseState
  version: number
}

export interface CaseFilter {
  state: CaseState | 'active'
  level?: Level | undefined
  rule?: string | undefined
  division?: string | undefined
  baseline?: boolean | undefined
  department?: string | undefined
}

/** What the page must do about an error; every kind has its own advice in the texts. */
export type ProblemKind =
  | 'offline'
  | 'timeout'
  | 'expired'
  | 'credentials'
  | 'forbidden'
  | 'missing'
  | 'conflict'
  | 'refused'
  | 'busy'
  | 'server'

export class ApiProblem extends Error {
  constructor(
    readonly kind: ProblemKind,
    readonly status = 0,
    readonly code = '',
    readonly title = '',
    readonly detail = '',
    readonly mend = '',
  ) {
    super(title || kind)
  }
}

function kindOf(status: number): ProblemKind {
  if (status === 401) return 'expired'
  if (status === 403) return 'forbidden'
  if (status === 404) return 'missing'
  if (status === 409 || status === 412) return 'conflict'
  if (status === 429 || status === 502 || status === 503 || status === 504) return 'busy'
  return status >= 500 ? 'server' : 'refused'
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

async function problem(response: Response): Promise<ApiProblem> {
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>
  return new ApiProblem(
    kindOf(response.status),
    response.status,
    text(body['code']),
    text(body['title']),
    text(body['detail']),
    text(body['mend']),
  )
}

interface Call {
  method?: 'GET' | 'POST'
  body?: unknown
  headers?: Record<string, string>
  query?: Record<string, string | number | boolean | undefined>
}

const TIMEOUT_MS = 12_000
const plural = (kind: CaseKind): string => (kind === 'alert' ? 'alerts' : 'tasks')

export class Api {
  /**
   * @param token     gives the present token, or '' before sign-in
   * @param onExpired told when the gateway no longer accepts the token
   */
  constructor(
    private readonly token: () => string,
    private readonly onExpired: () => void,
    private readonly timeoutMs = TIMEOUT_MS,
    private readonly base = '',
  ) {}

  async signIn(username: string, password: string): Promise<Token> {
    try {
      return await this.call<Token>('/v1/token', { method: 'POST', body: { username, password } }, false)
    } catch (error) {
      if (error instanceof ApiProblem && error.kind === 'expired') {
        throw new ApiProblem('credentials', error.status, error.code, error.title, error.detail, error.mend)
      }
      throw error
    }
  }

  me(): Promise<User> {
    return this.call<User>('/v1/me')
  }

  list(kind: CaseKind, filter: CaseFilter, cursor: string | null = null, limit = 50): Promise<CasePage> {
    const { state, ...rest } = filter
    const query: Call['query'] = { ...rest, limit, cursor: cursor ?? undefined }
    if (state !== 'active') query['state'] = state
    return this.call<CasePage>(`/v1/${plural(kind)}`, { query })
  }

  get(kind: CaseKind, id: string): Promise<CaseDetail> {
    return this.call<CaseDetail>(`/v1/${plural(kind)}/${encodeURIComponent(id)}`)
  }

  identity(kind: CaseKind, id: string, purpose: Purpose): Promise<Identity> {
    const path = `/v1/${plural(kind)}/${encodeURIComponent(id)}/identity`
    return this.call<Identity>(path, { method: 'POST', body: { purpose } })
  }

  /** The key must stay the same when the same wish is sent again: a repeat then changes nothing. */
  command(
    kind: CaseKind,
    id: string,
    action: Action,
    version: number,
    key: string,
    body: { outcome?: string } = {},
  ): Promise<CaseSummary | Pending> {
    return this.call<CaseSummary | Pending>(`/v1/${plural(kind)}/${encodeURIComponent(id)}/${action}`, {
      method: 'POST',
      body,
      headers: { 'Idempotency-Key': key, 'If-Match': String(version) },
    })
  }

  sheetStart(id: string): Promise<SheetStart> {
    return this.call<SheetStart>(`/v1/alerts/${encodeURIComponent(id)}/sheet`)
  }

  sheetCompute(id: string, body: SheetBody): Promise<Reckoned> {
    return this.call<Reckoned>(`/v1/alerts/${encodeURIComponent(id)}/sheet/compute`, { method: 'POST', body })
  }

  /** The key as in `command`; the version is the one that is to be corrected, 0 for a first sheet. */
  sheetSave(id: string, body: SheetBody, version: number, key: string): Promise<Reckoned> {
    return this.call<Reckoned>(`/v1/alerts/${encodeURIComponent(id)}/sheet`, {
      method: 'POST',
      body,
      headers: { 'Idempotency-Key': key, 'If-Match': String(version) },
    })
  }

  calendar(months: string, division: string): Promise<Calendar> {
    return this.call<Calendar>('/v1/roster/calendar', { query: { months, division: division || undefined } })
  }

  commandStatus(id: string): Promise<CommandStatus> {
    return this.call<CommandStatus>(`/v1/commands/${encodeURIComponent(id)}`)
  }

  rules(): Promise<Rule[]> {
    return this.call<Rule[]>('/v1/rules')
  }

  /** @param ended  the last names of codes that have none any more, instead of today's names */
  divisions(prefix: string, ended = false): Promise<Division[]> {
    return this.call<Division[]>('/v1/divisions', { query: { prefix, ended: ended || undefined } })
  }

  /** The response of the stream, for an EventSource that reads it with the token in a header. */
  async stream(url: string | URL, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers)
    const token = this.token()
    headers.set('Authorization', `Bearer ${token}`)
    const response = await fetch(url, { ...init, headers })
    if (response.status === 401) this.refused(token)
    return response
  }

  /** A late answer to a token that is no longer the present one says nothing about the present one. */
  private refused(token: string): void {
    if (token && token === this.token()) this.onExpired()
  }

  private async call<T>(path: string, call: Call = {}, signedIn = true): Promise<T> {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined && value !== '') query.set(name, String(value))
    }
    const headers: Record<string, string> = { Accept: 'application/json', ...call.headers }
    if (call.body !== undefined) headers['Content-Type'] = 'application/json'
    const token = signedIn ? this.token() : ''
    if (signedIn) headers['Authorization'] = `Bearer ${token}`

    const clock = new AbortController()
    const timer = setTimeout(() => clock.abort(), this.timeoutMs)
    try {
      const search = query.size ? `?${query}` : ''
      const response = await fetch(`${this.base}${path}${search}`, {
        method: call.method ?? 'GET',
        headers,
        signal: clock.signal,
        cache: 'no-store',
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      })
      if (!response.ok) throw await problem(response)
      return (await response.json()) as T
    } catch (error) {
      if (error instanceof ApiProblem) {
        if (error.kind === 'expired' && signedIn) this.refused(token)
        throw error
      }
      throw new ApiProblem(clock.signal.aborted ? 'timeout' : 'offline')
    } finally {
      clearTimeout(timer)
    }
  }
}

export const isPending = (answer: CaseSummary | Pending): answer is Pending => 'command_id' in answer
