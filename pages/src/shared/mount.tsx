import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import './base.css'

/** Shows a page in `#root`, with a TanStack Query client of its own. */
export function mount (page: ReactNode): void {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: 30_000, retry: 1 } } })
  createRoot(document.getElementById('root') as HTMLElement).render(
    <StrictMode><QueryClientProvider client={client}>{page}</QueryClientProvider></StrictMode>
  )
}
