import neostandard from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: ['node_modules', '.tap', 'data', '*/dist'] }),
  {
    files: ['src/*/**/*.ts'],
    rules: {
      // Data flows one way: logic in src/<folder> knows neither Fastify nor the
      // files above it. Only server.ts, app.ts and plugins/ may import these.
      'no-restricted-imports': ['error', {
        patterns: [
          { group: ['fastify', 'fastify-plugin', '@fastify/*', '!@fastify/proxy-addr'], message: 'Fastify stays out of src/<folder>: put the glue in plugins/.' },
          { group: ['**/plugins/**', '**/app.ts', '**/server.ts'], message: 'src/<folder> never looks up.' }
        ]
      }]
    }
  },
  {
    files: ['plugins/**/*.ts'],
    rules: {
      'no-restricted-imports': ['error', {
        patterns: [{ group: ['**/app.ts', '**/server.ts'], message: 'plugins/ never looks up.' }]
      }]
    }
  }
]
