import { useContext, useLayoutEffect, useRef, type ComponentProps } from 'react'
import { StudioContext } from './studio-context.ts'

/** A button that can be removed while it has the focus: the focus then moves to the field of the view. */
export function YieldingButton (props: ComponentProps<'button'>) {
  const { field } = useContext(StudioContext)
  const button = useRef<HTMLButtonElement>(null)
  // A layout effect: at its cleanup the button is still in the page, and still has the focus.
  useLayoutEffect(() => {
    const { current } = button
    return () => { if (document.activeElement === current) field.current?.focus() }
  }, [field])
  return <button ref={button} type='button' {...props} />
}
