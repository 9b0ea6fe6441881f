import { createHash } from 'node:crypto';
import type { Descriptions } from '../../api/descriptions.ts';
import type { JsonObject } from '../../api/schema.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { ResourceRegistry } from '../resource-registry.ts';
import { type Exchange, sendBytes } from './exchange.ts';
import { parseAccept } from './negotiate.ts';
import { FIXED_DOCUMENTS, fixedPaths } from './openapi-fixed.ts';
import { pathsOf } from './openapi-paths.ts';
import { encodeSwagger } from './openapi-protobuf.ts';
import { SchemaWriter } from './openapi-schemas.ts';

const SWAGGER_PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** The type's older name, which kubectl asks for; `@` is not allowed in a media type. */
const SWAGGER_PROTOBUF_OLD = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

interface CachedDocument {
  /** What it was made of: it holds as long as these are the same. */
  readonly from: readonly Descriptor[];
  readonly body: Buffer;
  readonly hash: string;
}

/** Serves `/openapi/v2` and `/openapi/v3`, derived from descriptors and facts when first asked for. */
export class OpenApi {
  readonly #registry: ResourceRegistry;
  readonly #descriptions: () => Descriptions;
  readonly #version: string;
  readonly #documents = new Map<string, CachedDocument>();
  #groups = new Map<string, Descriptor[]>();
  #generation = -1;

  /** `descriptions` is called once per document: the texts need not stay in memory. */
  constructor(registry: ResourceRegistry, descriptions: () => Descriptions, version: string) {
    this.#registry = registry;
    this.#descriptions = descriptions;
    this.#version = version;
  }

  /** Answers the index (empty path) or one group version's document; false when there is none. */
  sendV3(exchange: Exchange, path: string): boolean {
    if (path === '') {
      const paths: JsonObject = {};
      for (const [name, descriptors] of this.#groupVersions()) {
        const { hash } = this.#document(name, descriptors);
        paths[name] = { serverRelativeURL: `/openapi/v3/${name}?hash=${hash}` };
      }
      // Upstream does not say that it is JSON.
      sendBytes(exchange, Buffer.from(JSON.stringify({ paths })), { mediaType: 'text/plain; charset=utf-8' });
      return true;
    }
    const descriptors = this.#groupVersions().get(path);
    if (descriptors === undefined) return false;
    sendTagged(exchange, this.#document(path, descriptors), 'application/json');
    return true;
  }

  /** The whole API as one Swagger 2 document, for clients older than v3. */
  sendV2(exchange: Exchange): void {
    const accepted = parseAccept(exchange.request.headers.accept ?? '').map((range) => range.type);
    const isProtobuf = accepted[0] === SWAGGER_PROTOBUF || accepted[0] === SWAGGER_PROTOBUF_OLD;
    const all = [...this.#registry.all()];
    const document = isProtobuf
      ? this.#cached('v2 protobuf', all, () => encodeSwagger(this.#swagger()))
      : this.#cached('v2', all, () => toBytes(this.#swagger()));
    const mediaType = isProtobuf ? SWAGGER_PROTOBUF : 'application/json';
    sendTagged(exchange, document, mediaType);
  }

  #groupVersions(): Map<string, Descriptor[]> {
    if (this.#generation === this.#registry.generation) return this.#groups;
    this.#groups = this.#grouped();
    this.#generation = this.#registry.generation;
    for (const name of this.#documents.keys()) {
      if (name.startsWith('v3/') && !this.#groups.has(name.slice('v3/'.length))) this.#documents.delete(name);
    }
    return this.#groups;
  }

  #grouped(): Map<string, Descriptor[]> {
    const groups = new Map<string, Descriptor[]>();
    for (const name of FIXED_DOCUMENTS) groups.set(name, NO_DESCRIPTORS);
    for (const descriptor of this.#registry.all()) {
      const { group, version } = descriptor.type;
      if (group !== '') groups.set(`apis/${group}`, NO_DESCRIPTORS);
      const name = group === '' ? `api/${version}` : `apis/${group}/${version}`;
      groups.set(name, [...(groups.get(name) ?? []), descriptor]);
    }
    return groups;
  }

  #document(name: string, descriptors: readonly Descriptor[]): CachedDocument {
    return this.#cached(`v3/${name}`, descriptors, () => {
      const writer = new SchemaWriter(3, this.#descriptions());
      const paths = descriptors.length === 0 ? fixedPaths(name, writer) : pathsOf(descriptors, writer);
      return toBytes({
        openapi: '3.0.0',
        info: { title: 'Kubernetes', version: this.#version },
        paths,
        components: { schemas: writer.finish() },
      });
    });
  }

  #swagger(): JsonObject {
    const writer = new SchemaWriter(2, this.#descriptions());
    const paths = pathsOf([...this.#registry.all()], writer);
    return {
      swagger: '2.0',
      info: { title: 'Kubernetes', version: this.#version },
      paths,
      definitions: writer.finish(),
    };
  }

  #cached(key: string, from: readonly Descriptor[], make: () => Buffer): CachedDocument {
    let document = this.#documents.get(key);
    if (document === undefined || !sameItems(document.from, from)) {
      const body = make();
      document = { from, body, hash: createHash('sha512').update(body).digest('hex').toUpperCase() };
      this.#documents.set(key, document);
    }
    return document;
  }
}

const NO_DESCRIPTORS: Descriptor[] = [];

const sameItems = (a: readonly Descriptor[], b: readonly Descriptor[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

/** Sends a document, unless the client has it already: kubectl keeps what it fetched on disk. */
function sendTagged(exchange: Exchange, document: CachedDocument, mediaType: string): void {
  const etag = `"${document.hash}"`;
  const isKnown = exchange.request.headers['if-none-match'] === etag;
  const [code, body] = isKnown ? [304, Buffer.alloc(0)] : [200, document.body];
  sendBytes(exchange, body, { code, mediaType, headers: { etag, vary: 'Accept' } });
}

function toBytes(document: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(document));
}
