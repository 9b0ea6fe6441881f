import { readFileSync } from 'node:fs';
import { getAsset, isSea } from 'node:sea';

/** Texts of `kubectl explain` by type name of the facts (`core.v1.Pod`): of the type (key ``) and of each field. */
export type Descriptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** SEA asset and file in build/, made by packaging/dev/generate-descriptions.ts. */
export const DESCRIPTIONS_ASSET = 'descriptions.json';

/** Reads the texts afresh: they are large and asked for rarely, so nobody keeps them. Empty when run from source unbuilt. */
export function loadDescriptions(): Descriptions {
  if (isSea()) return JSON.parse(getAsset(DESCRIPTIONS_ASSET, 'utf8')) as Descriptions;
  try {
    const path = new URL(`../../build/${DESCRIPTIONS_ASSET}`, import.meta.url);
    return JSON.parse(readFileSync(path, 'utf8')) as Descriptions;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw error;
  }
}
