/** What the client takes from its runtime: clocks, randomness, waiting and the environment. Tests replace them. */

type Process = {
  readonly env?: { readonly [name: string]: string | undefined };
  readonly getBuiltinModule?: (name: string) => unknown;
};

/** The hash functions of Node.js, as far as they are used here. */
export interface NodeCrypto {
  createHmac(
    algorithm: "sha256",
    key: Uint8Array,
  ): {
    update(text: string): { digest(encoding: "base64"): string };
  };
}

export const system = {
  /** Return the time in milliseconds since 1970. */
  now: (): number => Date.now(),

  /** Return milliseconds since some point in the past. They never run backwards. */
  elapsed: (): number => performance.now(),

  /** Return a random number from 0 up to 1. */
  random: (): number => Math.random(),

  /** Wait for `milliseconds`. */
  sleep: (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds)),

  /** Return a variable of the environment. Undefined if it is empty, or the runtime has none or denies access. */
  environment: (name: string): string | undefined => {
    try {
      return runtime()?.env?.[name] || undefined;
    } catch {
      return undefined; // Deno without the permission to read it
    }
  },

  /** Return the `node:crypto` of the runtime. Undefined if it has none. */
  nodeCrypto: (): NodeCrypto | undefined => {
    const module = runtime()?.getBuiltinModule?.("node:crypto") as Partial<NodeCrypto> | undefined;
    return typeof module?.createHmac === "function" ? (module as NodeCrypto) : undefined;
  },
};

function runtime(): Process | undefined {
  return (globalThis as { readonly process?: Process }).process;
}
