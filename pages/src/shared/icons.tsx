import type { ReactNode } from 'react'

/** Paths of 24 × 24 line icons. */
const SHAPES = {
  arrowUp: <path d='M12 19V5m-6 6 6-6 6 6' />,
  check: <path d='m5 12.5 4.5 4.5L19 7.5' />,
  chevronDown: <path d='m6 9 6 6 6-6' />,
  close: <path d='M6 6l12 12M18 6 6 18' />,
  code: <path d='m8 7-5 5 5 5m8-10 5 5-5 5m-3-13-2 16' />,
  copy: <><rect x='9' y='9' width='11' height='11' rx='2' /><path d='M5 15H4V5a1 1 0 0 1 1-1h10v1' /></>,
  download: <path d='M12 4v11m-5-5 5 5 5-5M5 20h14' />,
  edit: <path d='M4 20h4L19.5 8.5a2.1 2.1 0 0 0-4-4L4 16v4Z' />,
  grip: <path d='M9 6v.01M9 12v.01M9 18v.01M15 6v.01M15 12v.01M15 18v.01' />,
  image: <><rect x='3.5' y='4.5' width='17' height='15' rx='2' /><circle cx='9' cy='10' r='1.5' /><path d='m4 17 5-4 4 3 3-3 4 4' /></>,
  info: <><circle cx='12' cy='12' r='8.5' /><path d='M12 11v5m0-8.5v.5' /></>,
  key: <><circle cx='8' cy='15' r='4' /><path d='m11 12 8-8m-4 4 3 3' /></>,
  mic: <><rect x='9' y='3.5' width='6' height='11' rx='3' /><path d='M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3' /></>,
  more: <path d='M5 12v.01M12 12v.01M19 12v.01' />,
  paperclip: <path d='m19 11-7.5 7.5a4.5 4.5 0 0 1-6.4-6.4L13 4.3a3 3 0 0 1 4.3 4.3L9.6 16.2a1.5 1.5 0 0 1-2.1-2.1l7-7' />,
  plus: <path d='M12 5v14M5 12h14' />,
  refresh: <path d='M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6' />,
  search: <><circle cx='10.5' cy='10.5' r='6' /><path d='m15 15 5 5' /></>,
  settings: <path d='M4 7h9m5 0h2M4 17h2m5 0h9M13 4.5h5v5h-5zM6 14.5h5v5H6z' />,
  speaker: <path d='M4 9.5v5h3.5L13 19V5L7.5 9.5H4Zm12.5-1a5 5 0 0 1 0 7m2.5-9.5a8.5 8.5 0 0 1 0 12' />,
  stop: <rect x='6.5' y='6.5' width='11' height='11' rx='1.5' fill='currentColor' />,
  trash: <path d='M4.5 7h15M9 7V4.5h6V7m-8.5 0 1 13h9l1-13M10 11v5m4-5v5' />,
  upload: <path d='M12 15V4m-5 5 5-5 5 5M5 20h14' />,
  warning: <path d='M12 4 2.5 20h19L12 4Zm0 6v4.5m0 2.3v.4' />
} satisfies Record<string, ReactNode>

/** An icon beside or in place of a text; whoever uses it gives the name to the control. */
export function Icon ({ name }: { name: keyof typeof SHAPES }) {
  return <svg className='icon' viewBox='0 0 24 24' aria-hidden='true'>{SHAPES[name]}</svg>
}
