// The types of `client/` beside those of the schemas that the gateway validates
// and serialises with. This file compiles only while they are the same: `tsc`
// fails when one of them changes alone.
import type { Static } from '@sinclair/typebox'
import type * as client from '../../client/src/types.ts'
import type { CapabilitiesSchema, ChatItemSchema, MediaItemSchema, ModelListSchema, ModelSchema, ModelTypeSchema } from '../../src/catalog/models.ts'

/** True where two types are identical, optional fields included; assignable is not enough. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

/** Each pair; `satisfies` names the one that differs. */
export const PAIRS = {
  ModelType: true,
  ChatModel: true,
  MediaModel: true,
  Capabilities: true,
  Model: true,
  list: true
} satisfies {
  ModelType: Same<client.ModelType, Static<typeof ModelTypeSchema>>
  ChatModel: Same<client.ChatModel, Static<typeof ChatItemSchema>>
  MediaModel: Same<client.MediaModel, Static<typeof MediaItemSchema>>
  Capabilities: Same<client.Capabilities, Static<typeof CapabilitiesSchema>>
  Model: Same<client.Model, Static<typeof ModelSchema>>
  list: Same<client.ListedModel[], Static<typeof ModelListSchema>>
}
