import type { TSchema } from '@sinclair/typebox'
import { describeEndpoints, type DescribedEndpoint, type OpenApiPart } from './inference-paths.ts'

interface Operation { responses?: Record<string, Response> }
interface Response { content?: Record<string, { schema?: { $id?: string, $ref?: string, title?: string }, example?: unknown, examples?: unknown }> }
interface Document {
  paths?: Record<string, Record<string, Operation>>
  components?: { schemas?: object, responses?: object }
}

/**
 * The routes' own document made whole: with the proxied endpoints, and with one
 * error schema that every operation refers to.
 */
export function completeDocument (document: object, endpoints: readonly DescribedEndpoint[], errorSchema: TSchema): OpenApiPart {
  const { paths: own = {}, components, ...rest } = document as Document
  const described = describeEndpoints(endpoints)
  const paths = { ...own, ...described.paths } as NonNullable<Document['paths']>
  const { $id: errorName = 'Error', ...errorBody } = errorSchema
  const error = { schema: { $ref: `#/components/schemas/${errorName}` } }
  for (const operation of Object.values(paths).flatMap(path => Object.values(path))) {
    for (const { content = {} } of Object.values(operation.responses ?? {})) {
      for (const [type, { schema }] of Object.entries(content)) {
        if (schema?.title === errorSchema.title) content[type] = error
      }
    }
    operation.responses = { ...operation.responses, default: { $ref: '#/components/responses/Error' } as Response }
  }
  return {
    ...rest,
    paths,
    components: {
      ...components,
      schemas: { ...components?.schemas, ...described.schemas, [errorName]: errorBody },
      responses: { ...components?.responses, Error: { description: errorSchema.description, content: { 'application/json': error } } }
    }
  }
}
