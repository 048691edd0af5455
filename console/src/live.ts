// The stream of changes: one connection for the page, kept alive, resumed where it broke off.
// EventSource of the library `eventsource`, because the browser's own can neither send the token in a
// header (a token in the address ends up in logs) nor resume with a fresh one after a refusal.
import { EventSource, type FetchLikeResponse } from 'eventsource'
import { ref } from 'vue'
import type { Api, CaseEvent } from './api'

export type LiveState = 'off' | 'connecting' | 'live' | 'waiting'

export interface Listener {
  /** A case changed. */
  changed?: (event: CaseEvent) => void
  /** Something may have been missed (first connection, reconnection, reset): look again. */
  lookAgain?: () => void
}

const SILENCE_MS = 45_000 // the gateway sends a heartbeat each 15 s
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 30_000

export class Live {
  readonly state = ref<LiveState>('off')
  private readonly listeners = new Set<Listener>()
  private source: EventSource | null = null
  private lastId = ''
  private heardAt = 0
  private wait = FIRST_WAIT_MS
  private retry: ReturnType<typeof setTimeout> | undefined
  private watchdog: ReturnType<typeof setInterval> | undefined

  constructor(
    private readonly api: Pick<Api, 'stream'>,
    private readonly url = '/v1/stream',
  ) {}

  listen(listener: Listener): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  start(): void {
    if (this.source) return
    addEventListener('online', this.again)
    document.addEventListener('visibilitychange', this.onVisible)
    this.watchdog = setInterval(this.onTick, SILENCE_MS / 3)
    this.open()
  }

  stop(): void {
    removeEventListener('online', this.again)
    document.removeEventListener('visibilitychange', this.onVisible)
    clearInterval(this.watchdog)
    clearTimeout(this.retry)
    this.source?.close()
    this.source = null
    this.lastId = ''
    this.wait = FIRST_WAIT_MS
    this.state.value = 'off'
  }

  private open(): void {
    clearTimeout(this.retry)
    this.source?.close()
    if (this.state.value !== 'waiting') this.state.value = 'connecting'
    this.heardAt = Date.now()
    const source = new EventSource(new URL(this.url, location.href), {
      fetch: (url, init) => this.request(url, init),
    })
    this.source = source
    source.onopen = () => {
      this.wait = FIRST_WAIT_MS
      this.state.value = 'live'
      this.each((listener) => listener.lookAgain?.())
    }
    source.onerror = () => {
      if (source !== this.source) return
      this.state.value = 'waiting'
      // The library retries by itself after a broken connection; a refusal closes it for good.
      if (source.readyState === EventSource.CLOSED) this.later()
    }
    source.addEventListener('case', (event) => {
      this.lastId = event.lastEventId || this.lastId
      const change = JSON.parse(event.data as string) as CaseEvent
      this.each((listener) => listener.changed?.(change))
    })
    source.addEventListener('reset', (event) => {
      this.lastId = event.lastEventId
      this.each((listener) => listener.lookAgain?.())
    })
  }

  private async request(url: string | URL, init: RequestInit): Promise<FetchLikeResponse> {
    const headers = new Headers(init.headers)
    if (this.lastId) headers.set('Last-Event-ID', this.lastId)
    const response = await this.api.stream(url, { ...init, headers })
    const heard = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, out) => {
        this.heardAt = Date.now()
        out.enqueue(chunk)
      },
    })
    return {
      status: response.status,
      headers: response.headers,
      url: response.url,
      redirected: response.redirected,
      body: response.body?.pipeThrough(heard) ?? null,
    }
  }

  private later(): void {
    clearTimeout(this.retry)
    this.retry = setTimeout(() => this.open(), this.wait)
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS)
  }

  private each(tell: (listener: Listener) => void): void {
    for (const listener of [...this.listeners]) tell(listener)
  }

  private readonly again = (): void => {
    if (this.source) this.open()
  }

  private readonly onTick = (): void => {
    if (Date.now() - this.heardAt > SILENCE_MS) {
      this.state.value = 'waiting'
      this.again()
    }
  }

  private readonly onVisible = (): void => {
    if (document.visibilityState === 'visible') this.onTick()
  }
}
