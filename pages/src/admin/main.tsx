import { mount } from '../shared/mount.tsx'
import { PageHeader } from '../shared/ui.tsx'

mount(<><PageHeader current='admin' /><main><h1>Models</h1></main></>)
