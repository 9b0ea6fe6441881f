import { createHash } from 'node:crypto';
import type { Descriptions } from '../../api/descriptions.ts';
import type { JsonObject } from '../../api/schema.ts';
import type { Clock } from '../../base/clock.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { ResourceRegistry } from '../resource-registry.ts';
import { type Exchange, sendBytes } from './exchange.ts';
import { parseAccept } from './negotiate.ts';
import { FIXED_DOCUMENTS, fixedDocument, fixedPath } from './openapi-fixed.ts';
import { encodeOpenApi, encodeSwagger } from './openapi-messages.ts';
import { shareParameters } from './openapi-parameters.ts';
import { pathsOf } from './openapi-paths.ts';
import { SchemaWriter } from './openapi-schemas.ts';

const JSON_TYPE = 'application/json';
const PROTOBUF = { v2: 'com.github.proto-openapi.spec.v2', v3: 'com.github.proto-openapi.spec.v3' } as const;
/** A document that several clients ask for one after the other is made once. */
const KEPT_MS = 10_000;
const YEAR_MS = 365 * 24 * 3_600_000;

const BEARER = {
  type: 'apiKey',
  description: 'Bearer Token authentication',
  name: 'authorization',
  in: 'header',
};

interface GroupVersion {
  readonly descriptors: readonly Descriptor[];
  /** Of what the document is made of: telling whether it has changed costs no document. */
  readonly hash: string;
}

/** Serves `/openapi/v2` and `/openapi/v3`, derived from descriptors and facts whenever they are asked for. */
export class OpenApi {
  readonly #registry: ResourceRegistry;
  readonly #descriptions: () => Descriptions;
  readonly #version: { readonly gitVersion: string };
  readonly #clock: Clock;
  readonly #remote: () => Iterable<{ readonly group: string; readonly version: string }>;
  readonly #kept = new Map<string, Buffer>();
  #groups = new Map<string, GroupVersion>();
  #generation = -1;

  /**
   * `descriptions` is called once per document: the texts need not stay in memory. `version`: what tells this program from
   * others. `remote`: the group versions of servers that can be asked for their documents.
   */
  constructor(
    registry: ResourceRegistry,
    descriptions: () => Descriptions,
    version: { readonly gitVersion: string },
    clock: Clock,
    remote: () => Iterable<{ readonly group: string; readonly version: string }>,
  ) {
    this.#registry = registry;
    this.#descriptions = descriptions;
    this.#version = version;
    this.#clock = clock;
    this.#remote = remote;
  }

  /** Answers the index (empty path) or one group version's document; false when there is none. */
  sendV3(exchange: Exchange, path: string): boolean {
    if (path === '') {
      const paths: JsonObject = {};
      for (const { group, version } of this.#remote()) {
        paths[`apis/${group}/${version}`] = { serverRelativeURL: `/openapi/v3/apis/${group}/${version}` };
      }
      for (const [name, { hash }] of this.#groupVersions()) paths[name] = { serverRelativeURL: hashedUrl(name, hash) };
      // Upstream does not say that it is JSON.
      sendBytes(exchange, Buffer.from(JSON.stringify({ paths })), { mediaType: 'text/plain; charset=utf-8' });
      return true;
    }
    const found = this.#groupVersions().get(path);
    if (found === undefined) return false;
    const asked = exchange.query.get('hash') ?? '';
    if (asked !== '' && asked !== found.hash) {
      const location = hashedUrl(path, found.hash);
      exchange.response.writeHead(301, { location, vary: 'Accept' }).end();
      return true;
    }
    // What has this hash is always the same.
    const expires = new Date(this.#clock.now() + YEAR_MS).toUTCString();
    const headers = asked === '' ? {} : { 'cache-control': 'public, immutable', expires };
    this.#send(exchange, 'v3', found.hash, headers, (form) => {
      const document = this.#document(path, found.descriptors);
      return form === 'json' ? toBytes(document) : encodeOpenApi(document);
    });
    return true;
  }

  /** The whole API as one Swagger 2 document, for clients older than v3. */
  sendV2(exchange: Exchange): void {
    const all = [...this.#groupVersions().values()].map(({ hash }) => hash);
    this.#send(exchange, 'v2', hashOf(all), {}, (form) =>
      form === 'json' ? toBytes(this.#swagger()) : encodeSwagger(this.#swagger()),
    );
  }

  /** Sends a document in the form asked for, unless the client has it already: kubectl keeps what it fetched on disk. */
  #send(
    exchange: Exchange,
    version: 'v2' | 'v3',
    hash: string,
    more: Readonly<Record<string, string>>,
    make: (form: 'json' | 'protobuf') => Buffer,
  ): void {
    const { accept, 'if-none-match': known } = exchange.request.headers;
    const form = formOf(accept, PROTOBUF[version]);
    const etag = `"${hash}"`;
    const headers = { vary: 'Accept', 'cache-control': 'no-cache, private', etag, ...more };
    if (form === undefined) {
      exchange.response.writeHead(406, { vary: 'Accept', 'cache-control': 'no-cache, private' }).end();
      return;
    }
    const mediaType = form === 'json' ? JSON_TYPE : `application/${PROTOBUF[version]}.v1.0+protobuf`;
    if (known === etag) {
      exchange.response.writeHead(304, headers).end();
      return;
    }
    const key = `${form} ${hash}`;
    const body = this.#kept.get(key) ?? make(form);
    if (!this.#kept.has(key)) {
      this.#kept.set(key, body);
      this.#clock.setTimeout(() => this.#kept.delete(key), KEPT_MS);
    }
    sendBytes(exchange, body, { mediaType, headers });
  }

  #groupVersions(): ReadonlyMap<string, GroupVersion> {
    if (this.#generation !== this.#registry.generation) {
      this.#groups = this.#grouped();
      this.#generation = this.#registry.generation;
    }
    return this.#groups;
  }

  #grouped(): Map<string, GroupVersion> {
    const groups = new Map<string, Descriptor[]>(FIXED_DOCUMENTS.map((name) => [name, []]));
    for (const descriptor of this.#registry.all()) {
      const { group, version } = descriptor.type;
      if (group !== '' && !descriptor.custom) groups.set(`apis/${group}`, []);
      const name = group === '' ? `api/${version}` : `apis/${group}/${version}`;
      const members = groups.get(name) ?? [];
      groups.set(name, members);
      members.push(descriptor);
    }
    const named = [...groups].map(([name, descriptors]): [string, GroupVersion] => {
      const known = this.#groups.get(name);
      if (known !== undefined && sameItems(known.descriptors, descriptors)) return [name, known];
      const custom = descriptors.filter((descriptor) => descriptor.custom).map(whatIsPublished);
      return [name, { descriptors, hash: hashOf([name, this.#version, custom]) }];
    });
    return new Map(named);
  }

  #document(name: string, descriptors: readonly Descriptor[]): JsonObject {
    const writer = new SchemaWriter(3, this.#descriptions());
    const paths = descriptors.length === 0 ? fixedPath(fixedDocument(name), writer) : pathsOf(descriptors, writer);
    const schemas = writer.finish();
    const isCustom = descriptors.some(({ custom }) => custom);
    const isOpen = name.startsWith('.well-known') || name.startsWith('openid');
    return {
      openapi: '3.0.0',
      info: isCustom
        ? { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' }
        : { title: 'Kubernetes', version: this.#version.gitVersion },
      paths,
      components: {
        ...(Object.keys(schemas).length > 0 ? { schemas } : {}),
        ...(isCustom || isOpen ? {} : { securitySchemes: { BearerToken: BEARER } }),
      },
    };
  }

  #swagger(): JsonObject {
    const writer = new SchemaWriter(2, this.#descriptions());
    const paths: JsonObject = {};
    for (const [name, { descriptors }] of this.#groupVersions()) {
      if (descriptors.length === 0) Object.assign(paths, fixedPath(fixedDocument(name), writer));
    }
    Object.assign(paths, pathsOf([...this.#registry.all()], writer));
    const parameters = shareParameters(paths);
    return {
      swagger: '2.0',
      info: { title: 'Kubernetes', version: this.#version.gitVersion },
      paths: Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1))),
      definitions: writer.finish(),
      parameters,
      securityDefinitions: { BearerToken: BEARER },
      security: [{ BearerToken: [] }],
    };
  }
}

/** What the document of a custom resource depends on. */
const whatIsPublished = ({ type, listKind, openapi, verbs, subresources }: Descriptor): object => ({
  type,
  listKind,
  openapi,
  verbs,
  subresources: Object.keys(subresources),
});

const sameItems = (a: readonly Descriptor[], b: readonly Descriptor[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

const hashOf = (content: unknown): string =>
  createHash('sha512').update(JSON.stringify(content)).digest('hex').toUpperCase();

const hashedUrl = (name: string, hash: string): string => `/openapi/v3/${name}?hash=${hash}`;

/** The form asked for first of those there are; the protobuf type has an older name, with an `@` no media type may have. */
function formOf(accept: string | undefined, protobuf: string): 'json' | 'protobuf' | undefined {
  for (const { type } of parseAccept(accept || '*/*')) {
    if (type === JSON_TYPE || type === '*/*' || type === 'application/*') return 'json';
    if (type === `application/${protobuf}.v1.0+protobuf` || type === `application/${protobuf}@v1.0+protobuf`) {
      return 'protobuf';
    }
  }
  return undefined;
}

function toBytes(document: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(document));
}
