import type { TSchema } from '@sinclair/typebox'
import { nameSchemas, type Components } from './components.ts'
import { describeEndpoints, type DescribedEndpoint, type OpenApiPart } from './inference-paths.ts'

type Operation = { responses?: Record<string, { content?: Record<string, { schema?: { $ref?: string } }> }> }
type Paths = Record<string, Record<string, Operation>>
interface Document {
  paths?: object
  components?: { schemas?: object, responses?: object }
}

/**
 * Completes the document of the routes: adds the proxied endpoints, makes every
 * titled schema a component, and adds one error response to which every operation
 * refers.
 */
export function completeDocument (document: object, endpoints: readonly DescribedEndpoint[], errorSchema: TSchema): OpenApiPart {
  const { paths: own, components, ...rest } = document as Document
  const described = describeEndpoints(endpoints)
  const schemas: Components = {}
  const { $id, ...plainError } = errorSchema
  const error = { schema: nameSchemas(plainError, schemas) as { $ref: string } }
  const paths = nameSchemas({ ...own, ...described.paths }, schemas) as Paths
  for (const operation of Object.values(paths).flatMap(path => Object.values(path))) {
    for (const { content = {} } of Object.values(operation.responses ?? {})) {
      for (const [type, { schema }] of Object.entries(content)) {
        // Without the schema's example, which is an error of one route.
        if (schema?.$ref === error.schema.$ref) content[type] = error
      }
    }
    operation.responses = { ...operation.responses, default: { $ref: '#/components/responses/Error' } as object }
  }
  return {
    ...rest,
    paths,
    components: {
      ...components,
      schemas: { ...components?.schemas, ...described.schemas, ...schemas },
      responses: { ...components?.responses, Error: { description: errorSchema.description, content: { 'application/json': error } } }
    }
  }
}
