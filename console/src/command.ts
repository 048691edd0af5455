// Sending sign, close and release: one wish, one idempotency key, and every answer the gateway may give.
import { ref, shallowRef } from 'vue'
import { ApiProblem, isPending, type Action, type Api, type CaseKind, type CaseSummary } from './api'

export type Stage = 'idle' | 'sending' | 'pending' | 'slow' | 'accepted' | 'refused' | 'conflict' | 'failed'

const ASK_MS = 1_000
const ASK_SLOW_MS = 5_000
const QUICK_ASKS = 15

/** Somebody else was faster: what the reader saw no longer holds. */
const CONFLICTS = ['version_conflict', 'already_closed', 'already_signed', 'not_held']

interface Wish {
  action: Action
  version: number
  outcome: string
}

/** 32 hex digits; randomUUID is missing where the page is served without TLS inside an office. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join(
    '',
  )
}

export class Command {
  readonly stage = ref<Stage>('idle')
  readonly action = ref<Action>('sign')
  readonly problem = shallowRef<ApiProblem | null>(null)
  readonly refusal = ref('')
  private wish: Wish | null = null
  private key = ''
  private commandId = ''
  private asks = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  /** @param onDone told when the command took effect, with the case where the answer held it */
  constructor(
    private readonly api: Pick<Api, 'command' | 'commandStatus'>,
    private readonly kind: CaseKind,
    private readonly id: string,
    private readonly onDone: (summary: CaseSummary | null) => void,
  ) {}

  async send(action: Action, version: number, outcome = ''): Promise<void> {
    const same =
      this.stage.value === 'failed' &&
      this.wish?.action === action &&
      this.wish.version === version &&
      this.wish.outcome === outcome
    if (!same) this.key = newKey()
    this.wish = { action, version, outcome }
    await this.dispatch()
  }

  /** Sends the same wish under the same key: harmless if the first one arrived after all. */
  async retry(): Promise<void> {
    if (this.wish) await this.dispatch()
  }

  private async dispatch(): Promise<void> {
    if (!this.wish) return
    const { action, version, outcome } = this.wish
    this.reset('sending')
    this.action.value = action
    try {
      const body = outcome ? { outcome } : {}
      const answer = await this.api.command(this.kind, this.id, action, version, this.key, body)
      if (!isPending(answer)) return this.done(answer)
      this.commandId = answer.command_id
      this.stage.value = 'pending'
      this.askLater(ASK_MS)
    } catch (error) {
      this.fail(error as ApiProblem)
    }
  }

  /** Asks now what became of a pending command. */
  async ask(): Promise<void> {
    clearTimeout(this.timer)
    try {
      const answer = await this.api.commandStatus(this.commandId)
      if (answer.status === 'accepted') return this.done(null)
      if (answer.status === 'refused') return this.refuse(answer.refusal ?? '')
    } catch {
      // Not knowing is not a failure: the command is in the log, so go on asking.
    }
    if (++this.asks >= QUICK_ASKS) this.stage.value = 'slow'
    this.askLater(this.stage.value === 'slow' ? ASK_SLOW_MS : ASK_MS)
  }

  reset(stage: Stage = 'idle'): void {
    clearTimeout(this.timer)
    this.stage.value = stage
    this.problem.value = null
    this.refusal.value = ''
    this.asks = 0
  }

  private askLater(ms: number): void {
    this.timer = setTimeout(() => void this.ask(), ms)
  }

  private done(summary: CaseSummary | null): void {
    this.stage.value = 'accepted'
    this.onDone(summary)
  }

  private refuse(code: string): void {
    this.refusal.value = code
    this.stage.value = CONFLICTS.includes(code) ? 'conflict' : 'refused'
  }

  private fail(problem: ApiProblem): void {
    if (problem.kind === 'conflict') return this.refuse(problem.code || 'version_conflict')
    this.problem.value = problem
    this.stage.value = 'failed'
  }
}
