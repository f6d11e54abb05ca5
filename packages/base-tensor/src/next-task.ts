/**
 * Resolves in a new task, so that timers, input and rendering get their turn in long computations.
 *
 * @remarks Browsers delay nested `setTimeout` calls by 4 ms or more; messages are not delayed.
 */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
}
