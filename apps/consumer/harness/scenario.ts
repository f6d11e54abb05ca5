/** @file What a scenario is, and running some of them. */
import { App } from './app.ts'
import type { PublishedPackage } from './publish.ts'
import type { Registry } from './registry.ts'

export interface Scenario {
  readonly name: string
  readonly run: (kit: Kit) => Promise<void>
}

/** What a scenario works with. */
export interface Kit {
  /** Everything that was published. */
  readonly packages: readonly PublishedPackage[]
  /** An empty folder outside the workspace, with the files of folders of `scenarios` in it. */
  readonly app: (...files: string[]) => Promise<App>
  /** Does one thing. A line of the report says what it was, how long it took, and what `act` gives. */
  readonly step: (what: string, act: () => Promise<string>) => Promise<string>
}

export interface Step {
  readonly what: string
  readonly seconds: number
  /** What to show of it; undefined when it failed. */
  readonly result: string | undefined
}

export interface Outcome {
  readonly name: string
  readonly steps: readonly Step[]
  readonly failure: Error | undefined
}

/** Where scenarios run, and what is there to install. */
export interface Surroundings {
  readonly scratch: string
  readonly registry: Registry
  readonly packages: readonly PublishedPackage[]
}

/** Runs a scenario up to its first step that fails. */
export async function runScenario(
  { name, run }: Scenario,
  { scratch, registry, packages }: Surroundings,
): Promise<Outcome> {
  const steps: Step[] = []
  let apps = 0
  const kit: Kit = {
    packages,
    app: (...files) => App.create(`${name}-${++apps}`, { scratch, registry, files }),
    step: async (what, act) => {
      const start = performance.now()
      const seconds = (): number => (performance.now() - start) / 1000
      try {
        const result = await act()
        steps.push({ what, seconds: seconds(), result })
        return result
      } catch (error) {
        steps.push({ what, seconds: seconds(), result: undefined })
        throw error
      }
    },
  }
  try {
    await run(kit)
    return { name, steps, failure: undefined }
  } catch (error) {
    return { name, steps, failure: error instanceof Error ? error : new Error(String(error)) }
  }
}

/** Runs scenarios, two at a time, and tells of each as soon as it has ended. */
export async function runScenarios(
  scenarios: readonly Scenario[],
  surroundings: Surroundings,
  onEnd: (outcome: Outcome) => void,
): Promise<void> {
  const queue = scenarios.values()
  const worker = async (): Promise<void> => {
    for (const scenario of queue) onEnd(await runScenario(scenario, surroundings))
  }
  await Promise.all([worker(), worker()])
}
