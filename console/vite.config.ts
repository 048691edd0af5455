import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { fakeGateway } from './dev/plugin.ts'

// DOUDI_GATEWAY=http://127.0.0.1:8000 develops against a running gateway; without it the fake one answers.
const gateway = process.env['DOUDI_GATEWAY']

export default defineConfig({
  plugins: [vue(), ...(gateway ? [] : [fakeGateway()])],
  server: { host: '127.0.0.1', ...(gateway ? { proxy: { '/v1': gateway } } : {}) },
  build: {
    target: 'es2022',
    // Inlined data: URLs would need img-src and font-src exceptions in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  test: {
    environment: 'happy-dom',
    silent: 'passed-only',
    environmentOptions: { happyDOM: { settings: { fetch: { disableSameOriginPolicy: true } } } },
    include: ['tests/**/*.test.ts'],
  },
})
