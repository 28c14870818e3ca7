// The gateway's schemas (src/catalog/models.ts) as types for browsers, without
// TypeBox. test/client/types.test.ts fails when the two differ.

/** What a model is for. */
export type ModelType = 'chat' | 'image' | 'speech'

/** A chat model, as the list shows it. */
export interface ChatModel {
  /** The name that requests use in `model`. May contain slashes. */
  id: string
  /** The name for people. */
  name: string
  /** One sentence on what the model is good for. May be empty. */
  description: string
  /** Tokens that the model can read and write in one request. */
  contextLength: number
}

/** An image or speech model, as the list shows it. */
export interface MediaModel {
  /** The name that requests use in `model`. May contain slashes. */
  id: string
  /** The name for people. */
  name: string
  /** One sentence on what the model is good for. May be empty. */
  description: string
  /** Who made the model. Absent where it is not known. */
  provider?: string
}

/** An image model, as the list shows it. */
export type ImageModel = MediaModel

/** A speech model, as the list shows it. */
export type SpeechModel = MediaModel

/** What a model can do. A field that is not known is absent, never `false`. */
export interface Capabilities {
  /** What the model takes: `text`, `image`, `audio`, `video`, `file`. */
  input?: string[]
  /** What the model gives: `text`, `image`, `audio`. */
  output?: string[]
  /** Whether the model calls tools. */
  tools?: boolean
  /** Whether the model can reason before it answers. */
  reasoning?: boolean
  /** Whether the model can be held to a JSON schema. */
  structuredOutput?: boolean
}

/** The full record of a model. Fields that are not known are absent. */
export interface Model {
  /** The name that requests use in `model`. May contain slashes. */
  id: string
  /** The name for people. */
  name: string
  /** One sentence on what the model is good for. May be empty. */
  description: string
  type: ModelType
  /** Who made the model. */
  provider?: string
  /** Tokens that the model can read and write in one request. Every chat model has it. */
  contextLength?: number
  capabilities?: Capabilities
  /** When the record was made: ISO 8601, UTC. */
  createdAt?: string
}

interface ListedByType {
  chat: ChatModel
  image: ImageModel
  speech: SpeechModel
}

/** An item of the list of one type; without a type, an item of the list of all models. */
export type ListedModel<T extends ModelType | undefined = undefined> = T extends ModelType ? ListedByType[T] : ChatModel | MediaModel
