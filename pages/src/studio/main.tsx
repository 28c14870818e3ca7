import { mount } from '../shared/mount.tsx'
import { PageHeader } from '../shared/ui.tsx'

mount(<><PageHeader current='studio' /><main><h1>Studio</h1></main></>)
