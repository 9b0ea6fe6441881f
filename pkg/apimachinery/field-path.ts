/** Where in an object a value stands, as validation messages name it: `spec.containers[0].env[HOME]`. */
export class FieldPath {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** The path of a top field and, optionally, fields below it. */
  static of(...names: readonly string[]): FieldPath {
    return new FieldPath(names.join('.'));
  }

  /** A field of the struct this path points to. */
  child(...names: readonly string[]): FieldPath {
    const tail = names.join('.');
    return new FieldPath(this.#text === '' ? tail : `${this.#text}.${tail}`);
  }

  /** An item of the list this path points to. */
  index(index: number): FieldPath {
    return new FieldPath(`${this.#text}[${index}]`);
  }

  /** An entry of the map this path points to. */
  key(key: string): FieldPath {
    return new FieldPath(`${this.#text}[${key}]`);
  }

  toString(): string {
    return this.#text;
  }
}
