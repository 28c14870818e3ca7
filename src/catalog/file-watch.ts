import { unwatchFile, watchFile } from 'node:fs'

/** How often the file is looked at (milliseconds). */
const INTERVAL_MS = 1000
/** Who writes a file in place may need a moment to finish (milliseconds). */
const SETTLE_MS = 100

/**
 * Calls back when a file has changed, and returns what ends that. The file is
 * looked at through its path, so that a Kubernetes ConfigMap's swap of a symbolic
 * link above it, an editor's rename and a network file system are noticed alike;
 * notices of the kernel (inotify) tell of none of these for certain.
 */
export function onFileChange (file: string, callback: () => void): () => void {
  let timer: NodeJS.Timeout | undefined
  const listener = () => {
    clearTimeout(timer)
    timer = setTimeout(callback, SETTLE_MS).unref()
  }
  watchFile(file, { interval: INTERVAL_MS, persistent: false }, listener)
  return () => {
    clearTimeout(timer)
    unwatchFile(file, listener)
  }
}
