// How applications use the package, for the compiler: right uses compile, wrong
// ones do not. Nothing here runs.
import { QueryClient, useQuery } from '@tanstack/react-query'
import { getModel, GatewayError, listModels, modelsQuery, type ChatModel, type ImageModel, type MediaModel, type Model, type SpeechModel } from 'model-gateway-client'
import { useModels } from 'model-gateway-client/react'

/** As a frontend has them hard-coded. */
const CHAT_MODELS = [{ id: 'a', name: 'A', description: '', contextLength: 1 }]
const FROZEN = [{ id: 'a', name: 'A', description: '', provider: 'b' }] as const

export async function lists () {
  const chat: ChatModel[] = await listModels('chat')
  const image: ImageModel[] = await listModels('image', { baseUrl: '/gateway', signal: AbortSignal.timeout(1), fetch })
  const speech: SpeechModel[] = await listModels('speech')
  const all: (ChatModel | MediaModel)[] = await listModels()
  const model: Model = await getModel('org/model', { apiKey: process.env.KEY })
  const length: number = (await listModels('chat'))[0]!.contextLength
  const provider: string | undefined = (await listModels('image'))[0]!.provider
  // @ts-expect-error a chat model has no provider
  const none = chat[0]!.provider
  // @ts-expect-error an image model has no context length
  const nothing = image[0]!.contextLength
  // @ts-expect-error there is no such type
  await listModels('video')
  const error = new GatewayError('', { code: 'not_found', status: 404, param: null })
  const parts: [string, number, string | null] = [error.code, error.status, error.param]
  return { chat, image, speech, all, model, length, provider, none, nothing, parts }
}

export function Panel () {
  const chat: ChatModel[] = useModels('chat', CHAT_MODELS)
  const image: ImageModel[] = useModels('image', FROZEN, { baseUrl: 'https://gateway.example' })
  const all: (ChatModel | MediaModel)[] = useModels(undefined)
  // @ts-expect-error the first list has to be of the type that is asked for
  useModels('chat', FROZEN)
  const { data } = useQuery({ ...modelsQuery('chat'), placeholderData: CHAT_MODELS })
  const length: number | undefined = data?.[0]?.contextLength
  const prefetched: Promise<void> = new QueryClient().prefetchQuery(modelsQuery())
  return { chat, image, all, length, prefetched }
}
