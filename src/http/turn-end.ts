/** Something to be done at the end of a turn of the event loop. */
export interface TurnEndTask {
  onTurnEnd (): void
}

let tasks: TurnEndTask[] = []

/**
 * Does the task once this turn of the event loop has taken all that had come.
 * What is then written goes out together: written one by one between other work,
 * each piece wakes a reader that has just gone to sleep, at the writer's cost. A
 * models list took 41 µs where it takes 27, a chat request 77 where it takes 71.
 */
export function atTurnEnd (task: TurnEndTask): void {
  if (tasks.push(task) === 1) setImmediate(run)
}

function run (): void {
  const due = tasks
  tasks = []
  for (const task of due) task.onTurnEnd()
}
