/** Generated names, in the alphabet upstream uses: no vowels and no look-alikes, so no words come out. */

import type { ObjectMeta } from '../api/generated/meta-v1.ts';

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
const MAX_NAME_LENGTH = 63;

/** A source of uniform numbers in [0, 1). */
export type Random = () => number;

/** `length` random letters of the safe alphabet. */
export function randomLetters(length: number, random: Random): string {
  let out = '';
  for (let i = 0; i < length; i++) out += ALPHABET[Math.floor(random() * ALPHABET.length)];
  return out;
}

/** The name made from a `generateName`: the base, cut so that the whole fits 63 characters, and five letters. */
export function generateName(base: string, random: Random = Math.random): string {
  return base.slice(0, MAX_NAME_LENGTH - SUFFIX_LENGTH) + randomLetters(SUFFIX_LENGTH, random);
}

/** What a name begins with that was made by `generateName`; the name itself, when it was given. */
export function generatedFrom({ name, generateName: base = '' }: Pick<ObjectMeta, 'name' | 'generateName'>): string {
  const kept = base.slice(0, MAX_NAME_LENGTH - SUFFIX_LENGTH);
  return base !== '' && name.startsWith(kept) && name.length === kept.length + SUFFIX_LENGTH ? base : name;
}

/** Maps each character into the safe alphabet; used on hashes that become parts of names. */
export function safeEncode(text: string): string {
  let out = '';
  for (const char of text) out += ALPHABET[(char.codePointAt(0) ?? 0) % ALPHABET.length];
  return out;
}
