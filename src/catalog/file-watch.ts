import { unwatchFile, watchFile } from 'node:fs'

/** Interval of the checks (milliseconds). */
const INTERVAL_MS = 1000
/** Pause after a change, because a write in place may not be finished (milliseconds). */
const SETTLE_MS = 100

/**
 * Calls back when a file has changed; returns a function that stops it. The file is
 * polled by its path, so that the swap of a Kubernetes ConfigMap's symbolic link,
 * an editor's rename and a change on a network file system are all noticed. inotify
 * misses some of these.
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
