import { mount } from '../shared/mount.tsx'
import { Studio } from './Studio.tsx'
import './studio.css'

mount(<Studio />)
