/** How upstream writes the path without a name: what is wrong is so of the object as a whole. */
export const WHOLE_OBJECT = '[]';

/** Where in an object a value stands, as validation messages name it: `spec.containers[0].env[HOME]`. */
export class FieldPath {
  readonly #above: FieldPath | undefined;
  readonly #tail: string;

  private constructor(above: FieldPath | undefined, tail: string) {
    this.#above = above;
    this.#tail = tail;
  }

  /** The path of a top field and, optionally, fields below it. */
  static of(...names: readonly string[]): FieldPath {
    return new FieldPath(undefined, names.join('.'));
  }

  /** A field of the struct this path points to, or one further below; not by a list of names, which takes memory. */
  child(name: string, below?: string, further?: string): FieldPath {
    const tail =
      below === undefined ? name : further === undefined ? `${name}.${below}` : `${name}.${below}.${further}`;
    if (this.#above === undefined && this.#tail === '') return new FieldPath(undefined, tail);
    return new FieldPath(this, `.${tail}`);
  }

  /** An item of the list this path points to. */
  index(index: number): FieldPath {
    return new FieldPath(this, `[${index}]`);
  }

  /** An entry of the map this path points to. */
  key(key: string): FieldPath {
    return new FieldPath(this, `[${key}]`);
  }

  /** Put together only when somebody wants to read it: most paths are walked without finding anything wrong. */
  toString(): string {
    return this.#above === undefined ? this.#tail : this.#above.toString() + this.#tail;
  }
}
