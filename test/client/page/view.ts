// The page of the hook's tests: two panels with the same chat models and one
// with image models, as a studio has them.
import { createElement as h, StrictMode, useRef } from 'react'
import { useModels } from 'model-gateway-client/react'

const CHAT_MODELS = [{ id: 'first', name: 'Hard-coded chat', description: '', contextLength: 1 }]
const IMAGE_MODELS = [{ id: 'first', name: 'Hard-coded image', description: '' }]

function ChatPanel ({ label }: { label: string }) {
  const models = useModels('chat', CHAT_MODELS)
  // A list that is the same array renders nothing anew.
  const lists = useRef(new Set<unknown>())
  lists.current.add(models)
  return h('ul', { 'aria-label': label, 'data-lists': lists.current.size }, models.map(({ id, name, contextLength }) => h('li', { key: id }, `${name} (${contextLength})`)))
}

function ImagePanel () {
  const models = useModels('image', IMAGE_MODELS)
  return h('ul', { 'aria-label': 'image' }, models.map(({ id, name, provider }) => h('li', { key: id }, `${name} by ${provider ?? 'nobody'}`)))
}

export const view = () => h(StrictMode, null, h(ChatPanel, { label: 'chat' }), h(ChatPanel, { label: 'chat again' }), h(ImagePanel))
