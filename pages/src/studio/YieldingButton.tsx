import { useContext, useRef, type ComponentProps } from 'react'
import { useFocusHeir } from '../shared/focus-heir.ts'
import { StudioContext } from './studio-context.ts'

/** A button that can be removed while it has the focus: the focus then moves to the field of the view. */
export function YieldingButton (props: ComponentProps<'button'>) {
  const { field } = useContext(StudioContext)
  const button = useRef<HTMLButtonElement>(null)
  useFocusHeir(button, () => field.current)
  return <button ref={button} type='button' {...props} />
}
