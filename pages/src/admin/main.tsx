import { mount } from '../shared/mount.tsx'
import { App } from './App.tsx'
import './admin.css'

mount(<App />)
