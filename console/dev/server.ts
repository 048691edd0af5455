// A pretended gateway for development and unit tests only: canned cases, in memory, no security.
// User names: town, village, county, medical, auditor; password: demo.
// Versions: a case number that ends in 3 meets a conflict once; one in 5 answers "pending" first.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CaseDetail, CaseEvent, CaseKind, CaseSummary, Role, User } from '../src/api'
import { divisions, makeCase, shapes } from './cases.ts'

const users: Record<string, User> = Object.fromEntries(
  (
    [
      ['village', '柳林村专干', 'village', 'civil', '990101001201'],
      ['town', '青石镇民政办', 'township', 'civil', '990101001'],
      ['county', '示例县民政局', 'county', 'civil', '990101'],
      ['medical', '县医保局联络员', 'department', 'medical', '990101'],
      ['auditor', '县审计局', 'auditor', 'civil', '990101'],
    ] as [string, string, Role, string, string][]
  ).map(([username, name, role, department, division]) => [
    username,
    { username, name, role, department, division },
  ]),
)

function userOf(request: IncomingMessage): User | undefined {
  return users[(request.headers.authorization ?? '').replace('Bearer fake-', '')]
}

interface Answer {
  status: number
  body: unknown
}

export class FakeGateway {
  readonly cases = new Map<string, CaseDetail>()
  tokenLifeMs = 8 * 3_600_000
  private readonly streams = new Set<ServerResponse>()
  private readonly log: { id: string; event: CaseEvent }[] = []
  private readonly commands = new Map<string, CaseSummary>()
  private readonly disturbed = new Set<string>()
  private next = 0

  constructor(count = 130) {
    for (let n = 0; n < count; n++) this.add(n * 47 + 3, [-2, 0, 1, 3, 6, 9, 14, null][n % 8] ?? null)
  }

  /** A new case, announced on the stream. */
  add(minutes = 0, dueInDays: number | null = 5): CaseDetail {
    const n = this.next++
    const shape = shapes[n % shapes.length]
    if (!shape) throw new Error('no shapes')
    const made = makeCase(n, shape, minutes, dueInDays)
    this.cases.set(made.id, made)
    this.announce(made, 'opened')
    return made
  }

  /** Serves one request; false where the path is not the API's. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const url = new URL(request.url ?? '/', 'http://fake')
    if (!url.pathname.startsWith('/v1/')) return false
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, string>
      if (url.pathname === '/v1/stream') return this.stream(request, response)
      const answer = this.answer(request, url, body)
      const type = answer.status >= 400 ? 'application/problem+json' : 'application/json'
      response.writeHead(answer.status, { 'Content-Type': type }).end(JSON.stringify(answer.body))
    })
    return true
  }

  private answer(request: IncomingMessage, url: URL, body: Record<string, string>): Answer {
    const path = url.pathname.split('/').slice(2)
    if (path[0] === 'token') return this.token(body)
    const user = userOf(request)
    if (!user) return refuse(401, 'unauthenticated', '请登录｜Please sign in')
    if (path[0] === 'me') return ok(user)
    if (path[0] === 'rules') {
      return ok(shapes.map((s) => ({ id: s.rule, title_zh: s.title[0], title_en: s.title[1], kind: s.kind })))
    }
    if (path[0] === 'divisions') {
      return ok(Object.entries(divisions).map(([code, name]) => ({ code, name, name_en: '' })))
    }
    if (path[0] === 'commands') return this.commandStatus(path[1] ?? '')
    const kind: CaseKind = path[0] === 'tasks' ? 'task' : 'alert'
    if (!path[1]) return this.list(kind, url.searchParams, user)
    const found = this.cases.get(path[1])
    if (found?.kind !== kind) return refuse(404, 'not_found', '没有这件事项｜No such case')
    if (!path[2]) return ok(this.seen(found, user))
    if (path[2] === 'identity') {
      return ok({
        name: '示例人员',
        id_number: '990101********0000',
        telephone: '',
        address: '示例县青石镇柳林村',
      })
    }
    return this.command(found, path[2], body, request, user)
  }

  private token(body: Record<string, string>): Answer {
    const user = users[body['username'] ?? '']
    if (!user || body['password'] !== 'demo')
      return refuse(401, 'bad_credentials', '用户名或密码不正确｜Wrong user name or password')
    const expires = new Date(Date.now() + this.tokenLifeMs).toISOString()
    return ok({ token: `fake-${user.username}`, expires_at: expires, user })
  }

  private list(kind: CaseKind, query: URLSearchParams, user: User): Answer {
    const states = query.get('state') ? [query.get('state')] : ['open', 'signed']
    const match = [...this.cases.values()]
      .filter((c) => c.kind === kind && states.includes(c.state))
      .filter((c) => user.role !== 'department' || c.department === user.department)
      .filter((c) => c.division.startsWith(user.division))
      .filter((c) => c.division.startsWith(query.get('division') ?? ''))
      .filter((c) => !query.get('level') || c.level === query.get('level'))
      .filter((c) => !query.get('rule') || c.rules.some((r) => r.id === query.get('rule')))
      .filter((c) => !query.get('baseline') || String(c.baseline) === query.get('baseline'))
      .sort((a, b) => String(b.opened_at).localeCompare(String(a.opened_at)))
    const from = Number(query.get('cursor') ?? 0)
    const to = from + Number(query.get('limit') ?? 50)
    return ok({
      items: match.slice(from, to).map(summary),
      next_cursor: to < match.length ? String(to) : null,
      total_estimate: match.length,
    })
  }

  private command(
    found: CaseDetail,
    action: string,
    body: Record<string, string>,
    request: IncomingMessage,
    user: User,
  ): Answer {
    const key = String(request.headers['idempotency-key'] ?? '')
    if (!key) return refuse(400, 'no_key', '缺少 Idempotency-Key｜Idempotency-Key is missing')
    const before = this.commands.get(key)
    if (before) return ok(before)
    const serial = Number.parseInt(found.id.slice(1, 3).replace(/q.*/, ''), 36)
    if (serial % 10 === 3 && !this.disturbed.has(found.id)) {
      this.disturbed.add(found.id)
      this.change(found, { signed_by: '另一位工作人员', state: 'signed' }, 'signed')
    }
    if (found.state === 'closed') return refuse(409, 'already_closed', '已经办结｜Closed already')
    if (String(found.version) !== request.headers['if-match']) {
      return refuse(409, 'version_conflict', '内容已有变化｜The case has changed')
    }
    const act = (): void => {
      const fields: Partial<CaseDetail> =
        action === 'sign'
          ? { state: 'signed', signed_by: user.name, signed_at: new Date().toISOString() }
          : { state: 'closed', outcome: body['outcome'] ?? '', closed_by: user.name }
      this.change(found, fields, action === 'sign' ? 'signed' : 'closed')
      this.commands.set(key, summary(found))
    }
    if (serial % 10 === 5) {
      setTimeout(act, 2_500)
      return { status: 202, body: { command_id: key, status: 'pending' } }
    }
    act()
    return ok(summary(found))
  }

  private commandStatus(id: string): Answer {
    const done = this.commands.get(id)
    return ok({
      status: done ? 'accepted' : 'pending',
      refusal: null,
      case_id: done?.id ?? null,
      version: done?.version ?? null,
    })
  }

  private change(found: CaseDetail, fields: Partial<CaseDetail>, event: string): void {
    Object.assign(found, fields, { version: found.version + 1, updated_at: new Date().toISOString() })
    this.announce(found, event)
  }

  private seen(found: CaseDetail, user: User): CaseDetail {
    const actions: CaseDetail['actions'] =
      user.role === 'auditor' || found.state === 'closed'
        ? []
        : found.state === 'open'
          ? ['sign', 'close']
          : ['close']
    return { ...found, actions }
  }

  private announce(c: CaseDetail, event: string): void {
    const { id, kind, department, division, level, state, version } = c
    const change = { case_id: id, event, kind, department, division, level, state, version }
    const entry = { id: `${this.log.length + 1}-0`, event: change }
    this.log.push(entry)
    for (const stream of this.streams) write(stream, entry)
  }

  private stream(request: IncomingMessage, response: ServerResponse): void {
    if (!userOf(request)) {
      response.writeHead(401).end()
      return
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    response.write(': hello\n\n')
    const last = request.headers['last-event-id']
    if (last) {
      const from = this.log.findIndex((entry) => entry.id === last)
      for (const entry of this.log.slice(from + 1)) write(response, entry)
    }
    this.streams.add(response)
    const beat = setInterval(() => response.write(': beat\n\n'), 15_000)
    response.on('close', () => {
      clearInterval(beat)
      this.streams.delete(response)
    })
  }

  /** Breaks all streams, as a restart of the gateway does. */
  dropStreams(): void {
    for (const stream of this.streams) stream.destroy()
  }
}

function write(response: ServerResponse, entry: { id: string; event: CaseEvent }): void {
  response.write(`id: ${entry.id}\nevent: case\ndata: ${JSON.stringify(entry.event)}\n\n`)
}

function summary(c: CaseDetail): CaseSummary {
  const inner = ['conditions', 'outcomes', 'actions']
  return Object.fromEntries(
    Object.entries(c).filter(([name]) => !inner.includes(name)),
  ) as unknown as CaseSummary
}

const ok = (body: unknown): Answer => ({ status: 200, body })

const refuse = (status: number, code: string, title: string): Answer => ({
  status,
  body: { type: `about:blank#${code}`, title, status, code, detail: '', mend: '' },
})
