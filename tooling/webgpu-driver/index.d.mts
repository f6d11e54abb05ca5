import type { Browser, LaunchOptions } from 'playwright-core'

/**
 * Adds to `process.env` what processes started from here need for WebGPU: nothing where the machine
 * has an adapter, else a software driver. Gives one line that says which it is.
 */
export declare function prepareEnvironment(): string

/** The variables with which a process must start to have the software driver. */
export declare function driverEnvironment(): Record<string, string>

/** How playwright starts the browser; `undefined` where there is none. */
export declare function chromiumOptions(): LaunchOptions | undefined

/**
 * Starts a headless Chromium with WebGPU on the CPU; its owner closes it.
 *
 * @throws Error where there is none.
 */
export declare function launchChromium(): Promise<Browser>

/** The folder of the Vulkan loader and of SwiftShader. */
export declare function vulkanFolder(): string

/** The folder of the browser, and in `lib` of libraries that a bare machine lacks. */
export declare function chromiumFolder(): string
