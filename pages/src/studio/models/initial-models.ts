import type { ChatModel, ImageModel, SpeechModel } from 'model-gateway-client'

// What the panels show until the gateway has answered: the arrays that were
// hard-coded in them before.

export const CHAT_MODELS: ChatModel[] = [
  { id: 'gemini-2.5-flash-preview-04-17', name: 'Gemini 2.5 Flash Preview 04-17', description: 'Latest preview model with enhanced capabilities', contextLength: 1048576 },
  { id: 'gemini-1.5-pro', name: 'Gemini 1.5 Pro', description: 'Advanced reasoning and long context', contextLength: 2097152 },
  { id: 'gemini-1.5-flash', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', contextLength: 1048576 }
]

export const IMAGE_MODELS: ImageModel[] = [
  { id: 'sdxl', name: 'Stable Diffusion XL', description: 'High-quality image generation', provider: 'StabilityAI' },
  { id: 'sdxl-lightning', name: 'SDXL-Lightning', description: 'Fast SDXL variant', provider: 'StabilityAI' },
  { id: 'flux-schnell', name: 'Flux Schnell', description: 'Fast image generation', provider: 'Flux' },
  { id: 'flux-pro', name: 'Flux Pro', description: 'High-quality image generation', provider: 'Flux' }
]

export const SPEECH_MODELS: SpeechModel[] = []
