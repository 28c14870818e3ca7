import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Catalog } from '../src/catalog/catalog.ts'
import { defaultModelWarnings } from '../src/catalog/defaults.ts'
import { activeModels } from '../src/catalog/models.ts'
import { staticModels } from '../src/catalog/static.ts'
import type { Config } from '../src/config.ts'
import { modelsRoutes } from './models.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The models that may be used. */
    catalog: Catalog
  }
  interface FastifyContextConfig {
    /** The path under which the OpenAPI document shows a wildcard route. */
    openapiPath?: string
  }
}

/** What `app.ts` supplies. */
export interface CatalogOptions {
  config: Config
}

async function catalogPlugin (app: FastifyInstance, { config }: CatalogOptions): Promise<void> {
  app.decorate('catalog', new Catalog(activeModels(staticModels(config.CATALOG_FILE))))
  app.addHook('onReady', async () => {
    for (const warning of defaultModelWarnings(app.catalog.list(), config)) app.log.warn(warning)
  })
  app.register(modelsRoutes, { keyed: config.API_KEYS.length > 0 })
}

/** The catalog: which models there are, and the routes that tell. */
export default fp(catalogPlugin, { name: 'catalog', fastify: '5.x' })
