// Addresses of the pages. Lists keep their filters in the query, so that a link or a reload shows the same.
import { watch } from 'vue'
import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router'
import type { CaseKind } from './api'
import CalendarPage from './pages/CalendarPage.vue'
import CasePage from './pages/CasePage.vue'
import InboxPage from './pages/InboxPage.vue'
import MissingPage from './pages/MissingPage.vue'
import SheetPage from './pages/SheetPage.vue'
import SignInPage from './pages/SignInPage.vue'
import { ending, hasCalendar, kinds, user } from './session'

const folder = (kind: CaseKind): string => (kind === 'alert' ? 'alerts' : 'tasks')

export const CALENDAR = '/calendar'

export const pathOf = (kind: CaseKind, id = ''): string => `/${folder(kind)}${id ? `/${id}` : ''}`

export function home(): string {
  return pathOf(kinds.value[0] ?? 'alert')
}

const both = (['alert', 'task'] as const).flatMap((kind) => [
  { path: pathOf(kind), component: InboxPage, props: { kind }, meta: { kind, list: true } },
  {
    path: `${pathOf(kind)}/:id`,
    component: CasePage,
    props: (route: RouteLocationNormalized) => ({ kind, id: String(route.params['id']) }),
    meta: { kind },
  },
])

export const router = createRouter({
  history: createWebHistory(),
  // Lists put their own place back; every other page starts at its top.
  scrollBehavior: (to) => (to.meta['list'] ? false : { top: 0 }),
  routes: [
    { path: '/', redirect: home },
    { path: '/sign-in', component: SignInPage, meta: { open: true } },
    ...both,
    {
      path: `${pathOf('alert')}/:id/sheet`,
      component: SheetPage,
      props: (route: RouteLocationNormalized) => ({ id: String(route.params['id']) }),
      meta: { kind: 'alert' },
    },
    { path: CALENDAR, component: CalendarPage, meta: { calendar: true } },
    { path: '/:rest(.*)*', component: MissingPage, meta: { open: true } },
  ],
})

router.beforeEach((to) => {
  if (to.meta['open']) return to.path === '/sign-in' && user.value ? home() : true
  if (!user.value) return { path: '/sign-in', query: to.path === '/' ? {} : { next: to.fullPath } }
  if (to.meta['calendar'] && !hasCalendar.value) return home()
  const kind = to.meta['kind'] as CaseKind | undefined
  return !kind || kinds.value.includes(kind) ? true : home()
})

watch(user, (now) => {
  const here = router.currentRoute.value
  if (now || here.meta['open']) return
  void router.push({ path: '/sign-in', query: ending.value === 'expired' ? { next: here.fullPath } : {} })
})
