import { useRef } from 'react'
import { Icon } from '../shared/icons.tsx'

/** A button that takes a picture from the person's files. */
export function PictureInput ({ label, onFile }: { label: string, onFile: (file: File) => void }) {
  const input = useRef<HTMLInputElement>(null)
  return (
    <>
      <button type='button' className='quiet' onClick={() => input.current?.click()}><Icon name='paperclip' />{label}</button>
      <input
        ref={input} type='file' hidden accept='image/png,image/jpeg,image/webp,image/gif' aria-label={label}
        onChange={({ target }) => {
          const [file] = target.files ?? []
          if (file !== undefined) onFile(file)
          // The same file can be chosen again.
          target.value = ''
        }}
      />
    </>
  )
}
