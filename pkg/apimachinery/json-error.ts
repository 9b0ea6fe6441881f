/** What is wrong with a malformed JSON text, in the words of Go's decoder, which clients and users know. */
import { goQuote } from './go-quote.ts';

/** Thrown inside the reader to leave it with the message. */
class Malformed extends Error {}

/** The message for a text that JSON.parse refused. */
export function jsonErrorText(text: string): string {
  try {
    const reader = new Reader(text);
    reader.value();
    reader.end();
  } catch (error) {
    if (error instanceof Malformed) return error.message;
    // Nesting so deep that reading it exhausts the stack.
    if (error instanceof RangeError) return 'exceeded max depth';
    throw error;
  }
  return 'invalid JSON document';
}

function quoteChar(char: string): string {
  if (char === "'") return "'\\''";
  return char === '"' ? `'"'` : `'${goQuote(char).slice(1, -1)}'`;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #fail(context: string): never {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) throw new Malformed('unexpected end of JSON input');
    throw new Malformed(`invalid character ${quoteChar(String.fromCodePoint(code))} ${context}`);
  }

  #skip(): string {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at++;
    return this.#text[this.#at] ?? '';
  }

  end(): void {
    if (this.#skip() !== '') this.#fail('after top-level value');
  }

  value(): void {
    const start = this.#skip();
    if (start === '{') this.#object();
    else if (start === '[') this.#array();
    else if (start === '"') this.#string();
    else if (start === '-' || /\d/.test(start)) this.#number();
    else if (start === 't') this.#literal('true');
    else if (start === 'f') this.#literal('false');
    else if (start === 'n') this.#literal('null');
    else this.#fail('looking for beginning of value');
  }

  #object(): void {
    this.#at++;
    if (this.#skip() === '}') {
      this.#at++;
      return;
    }
    for (;;) {
      if (this.#skip() !== '"') this.#fail('looking for beginning of object key string');
      this.#string();
      if (this.#skip() !== ':') this.#fail('after object key');
      this.#at++;
      this.value();
      const next = this.#skip();
      if (next !== ',' && next !== '}') this.#fail('after object key:value pair');
      this.#at++;
      if (next === '}') return;
    }
  }

  #array(): void {
    this.#at++;
    if (this.#skip() === ']') {
      this.#at++;
      return;
    }
    for (;;) {
      this.value();
      const next = this.#skip();
      if (next !== ',' && next !== ']') this.#fail('after array element');
      this.#at++;
      if (next === ']') return;
    }
  }

  #string(): void {
    for (this.#at++; this.#text[this.#at] !== '"'; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (!(code >= 0x20)) this.#fail('in string literal');
      if (code !== 0x5c) continue;
      this.#at++;
      if (this.#text[this.#at] === 'u') {
        for (let digit = 0; digit < 4; digit++) {
          this.#at++;
          if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? '')) this.#fail('in \\u hexadecimal character escape');
        }
      } else if (!/["\\/bfnrt]/.test(this.#text[this.#at] ?? '')) {
        this.#fail('in string escape code');
      }
    }
    this.#at++;
  }

  #digits(context: string): void {
    if (!/\d/.test(this.#text[this.#at] ?? '')) this.#fail(context);
    while (/\d/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #number(): void {
    if (this.#text[this.#at] === '-') this.#at++;
    if (this.#text[this.#at] === '0') this.#at++;
    else this.#digits('in numeric literal');
    if (this.#text[this.#at] === '.') {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    if (/[eE]/.test(this.#text[this.#at] ?? '')) {
      this.#at++;
      if (/[+-]/.test(this.#text[this.#at] ?? '')) this.#at++;
      this.#digits('in exponent of numeric literal');
    }
  }

  #literal(word: string): void {
    for (const letter of word) {
      if (this.#text[this.#at] !== letter) this.#fail(`in literal ${word} (expecting '${letter}')`);
      this.#at++;
    }
  }
}
