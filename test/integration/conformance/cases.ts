import type { Api } from './api.ts';

/** By name: what a conformance test does; each has a namespace of its own. */
export type Cases = Readonly<Record<string, (api: Api, namespace: string) => Promise<void>>>;
