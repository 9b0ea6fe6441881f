import { statSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { loadDescriptions } from '../api/descriptions.ts';
import type { APIService } from '../api/generated/apiregistration-v1.ts';
import { leases, nodes } from '../api/resources.ts';
import { defaultAdmission } from '../apiserver/admission/chain.ts';
import { Aggregator, type ProxyIdentity } from '../apiserver/aggregation/aggregator.ts';
import { ApiServiceController } from '../apiserver/aggregation/api-service-controller.ts';
import { RemoteDiscovery } from '../apiserver/aggregation/remote-discovery.ts';
import { ApiCore } from '../apiserver/api-core.ts';
import { ApiServer, type ServingTls } from '../apiserver/api-server.ts';
import { Auditor, noAuditText } from '../apiserver/audit/auditor.ts';
import { AuditLog } from '../apiserver/audit/log-file.ts';
import { Authenticator } from '../apiserver/authn/authenticator.ts';
import { BootstrapTokenAuthenticator } from '../apiserver/authn/bootstrap-token.ts';
import { boundObjectsOf } from '../apiserver/authn/bound-objects.ts';
import {
  issueSecretToken,
  SecretTokenAuthenticator,
  type SecretTokenRequest,
} from '../apiserver/authn/secret-token.ts';
import { ServiceAccountTokenAuthenticator } from '../apiserver/authn/service-account-token.ts';
import { DEFAULT_ISSUER, TokenIssuer } from '../apiserver/authn/token-issuer.ts';
import { LOOPBACK_USER } from '../apiserver/authn/user.ts';
import { createAuthorization } from '../apiserver/authz/authorization.ts';
import { ensureBootstrapPolicy } from '../apiserver/authz/policy-reconcile.ts';
import { Connector, type KubeletTls } from '../apiserver/connect/connector.ts';
import { CustomResources } from '../apiserver/customresources/custom-resources.ts';
import { Discovery } from '../apiserver/http/discovery.ts';
import { HealthChecks } from '../apiserver/http/health.ts';
import { OpenApi } from '../apiserver/http/openapi.ts';
import type { ExtraRoute } from '../apiserver/http/router.ts';
import { InProcessClient, informerSource } from '../apiserver/in-process-client.ts';
import { InProcessScales } from '../apiserver/in-process-scale.ts';
import { KubeletMetrics } from '../apiserver/metrics-api/kubelet-metrics.ts';
import { metricsResources } from '../apiserver/metrics-api/metrics-resources.ts';
import { MetricsScraper } from '../apiserver/metrics-api/scraper.ts';
import { ManagedFields } from '../apiserver/operations/managed-fields.ts';
import { ResourceOperations } from '../apiserver/operations/resource-operations.ts';
import { ResourceRegistry } from '../apiserver/resource-registry.ts';
import { type ApiServerSettings, DEFAULT_SETTINGS } from '../apiserver/settings.ts';
import { EventExpiry } from '../apiserver/storage/event-expiry.ts';
import { ObservedDatastore } from '../apiserver/storage/observed-datastore.ts';
import { Store } from '../apiserver/storage/store.ts';
import { virtualResources, withTokenSubresource } from '../apiserver/virtual-resources.ts';
import type { Clock } from '../base/clock.ts';
import type { Component } from '../base/component.ts';
import { addressAt, type CIDR, formatAddress, formatCIDR } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import type { Paths } from '../base/paths.ts';
import { versionInfo } from '../base/version.ts';
import type { ClusterConfig } from '../bootstrap/join-protocol.ts';
import type { Client } from '../client/client.ts';
import type { ScaleAccess } from '../client/scale.ts';
import type { Datastore } from '../datastore/datastore.ts';
import { openLibsqlDatastore } from '../datastore/libsql/libsql-datastore.ts';
import type { CertificateManager, Certificates } from '../pki/certificates.ts';
import { ensureSigningKey, type SigningKey } from '../pki/signing-key.ts';
import { builtinDescriptors } from '../registry/builtin.ts';
import type { RegistryAccess } from '../registry/descriptor.ts';
import type { UserInfo } from '../registry/user-info.ts';
import { ensureAPIServices } from './api-services.ts';
import {
  ensureAuthenticationTrust,
  ensureKubernetesEndpoints,
  ensureKubernetesService,
  ensureMetricsReader,
  ensureNamespaces,
  ensurePriorityClasses,
  ensureServiceCIDR,
  type TrustedAuthorities,
} from './bootstrap-objects.ts';
import { checkAgreement } from './cluster/agreement.ts';
import { ApiEndpoints } from './cluster/api-endpoints.ts';
import { healthChecks } from './health-checks.ts';
import { joinRoutes } from './join/join-routes.ts';
import type { JoinTokens } from './join/join-tokens.ts';
import { JoiningPasses } from './join/joining-passes.ts';

/** A datastore that other servers use as well. */
export interface SharedDatastore {
  open(): Promise<Datastore>;
  /** This server's name among them. */
  readonly nodeName: string;
  /** The settings they have to agree in. */
  readonly critical: Readonly<Record<string, string>>;
}

export interface ControlPlaneOptions {
  readonly paths: Paths;
  /** The datastore of a cluster of several servers; libSQL in the data directory when left out. */
  readonly shared?: SharedDatastore | undefined;
  /** Paths beside the API, further to those of joining. */
  readonly routes?: readonly ExtraRoute[];
  readonly bindAddress: string;
  readonly port: number;
  /** Where members of the cluster reach the API server. */
  readonly advertiseAddress: string;
  readonly serviceCIDR: CIDR;
  readonly nodePorts: { readonly first: number; readonly last: number };
  readonly certificates: CertificateManager;
  /** How machines join; none can when left out. */
  readonly join?: { readonly tokens: JoinTokens; readonly cluster: () => ClusterConfig };
  /** The node this process runs too; undefined when it runs none. */
  readonly ownNode?: string | undefined;
  /** Whether metrics.k8s.io is served from here. */
  readonly metricsAPI: boolean;
  /** What `--kube-apiserver-arg` sets. */
  readonly apiServer?: ApiServerSettings;
  readonly clock: Clock;
  readonly log: Logger;
  /** The process cannot go on: the datastore is gone. */
  readonly onFatal: (error: Error) => void;
}

/** What clients are told of when the system is to choose a port, which is known only once the server listens. */
const DEFAULT_PORT = 6443;

/** Datastore, API server and what they need to be of use: everything of a server but controllers and node. */
export class ControlPlane implements Component {
  readonly name = 'control-plane';
  readonly #options: ControlPlaneOptions;
  readonly #closers: (() => Promise<void> | void)[] = [];
  #core: ApiCore | undefined;
  #signingKey: SigningKey | undefined;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
  }

  /** The API without a network. Throws before `start` has resolved. */
  get core(): ApiCore {
    if (this.#core === undefined) throw new Error('the API was asked for before it was started');
    return this.#core;
  }

  /** A client of a component in this process, acting as `user`; `informers` lends its informers. */
  client(user: UserInfo, informers?: Pick<Client, 'informer'>): Client {
    return new InProcessClient(this.core, user, informers);
  }

  /** The token that belongs into a Secret. Throws before `start` has resolved. */
  issueSecretToken(request: SecretTokenRequest): string {
    if (this.#signingKey === undefined) throw new Error('a token was asked for before the API was started');
    return issueSecretToken(this.#signingKey, request);
  }

  /** The scales of workloads for a component in this process, acting as `user`. */
  scales(user: UserInfo): ScaleAccess {
    return new InProcessScales(this.core, user);
  }

  async start(signal: AbortSignal): Promise<void> {
    const { paths, clock, log, certificates } = this.#options;
    const [opened, signingKey] = await Promise.all([
      this.#options.shared?.open() ?? this.#openLibsql(),
      ensureSigningKey(paths),
    ]);
    this.#closers.push(() => opened.close());
    const datastore = new ObservedDatastore(
      opened,
      this.#options.shared === undefined ? databaseBytes(paths) : undefined,
    );
    const store = await Store.open(datastore);
    this.#closers.push(() => store.close());
    const { shared } = this.#options;
    if (shared !== undefined) {
      const found = store.list(leases).map(({ object }) => object);
      checkAgreement(shared.critical, found, { nodeName: shared.nodeName, now: clock.now() });
    }

    this.#signingKey = signingKey;
    const registry = new ResourceRegistry(builtinDescriptors);
    const informers = informerSource(store, registry);
    const authorization = createAuthorization(informers);
    const objects = boundObjectsOf(informers);
    const audiences = [DEFAULT_ISSUER];
    const issuer = new TokenIssuer({
      key: signingKey,
      issuer: DEFAULT_ISSUER,
      audiences,
      clock,
      extendExpiration: true,
    });
    const { join } = this.#options;
    const passes = new JoiningPasses(signingKey, clock);
    const authenticator = new Authenticator({
      tokens: [
        new ServiceAccountTokenAuthenticator({
          publicKeys: [signingKey.publicKey],
          issuers: [DEFAULT_ISSUER],
          audiences,
          objects,
          clock,
        }),
        new SecretTokenAuthenticator([signingKey.publicKey], audiences, informers),
        ...(join === undefined
          ? []
          : [join.tokens, passes, new BootstrapTokenAuthenticator(informers, clock, audiences)]),
      ],
      anonymousAuth: true,
      clock,
    });
    for (const descriptor of virtualResources({ authorization, authenticator })) registry.set(descriptor);
    for (const descriptor of builtinDescriptors) {
      if (descriptor.type.resource === 'serviceaccounts')
        registry.set(withTokenSubresource(descriptor, issuer, objects));
    }

    if (this.#options.metricsAPI) this.#serveMetrics(store, registry);

    const managedFields = new ManagedFields(clock);
    const access = (): RegistryAccess => this.core.access;
    const admission = defaultAdmission(store, {
      ...this.#options,
      ownNode: this.#options.ownNode,
      random: Math.random,
      severalServers: this.#options.shared !== undefined,
      authorization,
      access,
    });
    const operations = new ResourceOperations({ store, admission, clock, trackFields: managedFields.track });
    const { authorizer } = authorization;
    const auditor = await this.#openAudit();
    const core = new ApiCore({ registry, operations, authorizer, managedFields, clock, auditor });
    this.#core = core;
    const custom = new CustomResources({ registry, operations, clock, log: log.child('custom-resources') });
    custom.start();
    this.#closers.push(() => custom.stop());
    const services = new ApiServiceController({ registry, operations, clock, log: log.child('api-services') });

    const own = this.client(LOOPBACK_USER);
    await ensureNamespaces(own);
    await Promise.all([
      ensureAPIServices(own, registry),
      ensureBootstrapPolicy(own, log),
      ensurePriorityClasses(own),
      ensureAuthenticationTrust(own, trusted(certificates.current)),
      ...(this.#options.metricsAPI ? [ensureMetricsReader(own)] : []),
      ensureKubernetesService(own, {
        clusterIP: formatAddress(addressAt(this.#options.serviceCIDR, 1n)),
        port: this.#options.port || DEFAULT_PORT,
      }),
      ensureServiceCIDR(own, formatCIDR(this.#options.serviceCIDR), clock.now()),
    ]);
    if (this.#options.shared === undefined) {
      const expiry = this.eventExpiry();
      await expiry.start(signal);
      this.#closers.push(() => expiry.stop());
    }

    services.start();
    this.#closers.push(() => services.stop());
    const server = this.#apiServer(core, { authenticator, issuer, passes, services, datastore, signal });
    await server.start();
    this.#closers.push(() => server.stop());
    this.#closers.push(certificates.onChange((renewed) => server.setTls(servingTls(renewed))));
    await this.#announce(own);
    signal.throwIfAborted();
  }

  /** Undefined without a policy, or without a file to write to. */
  async #openAudit(): Promise<Auditor | undefined> {
    const { apiServer = DEFAULT_SETTINGS, clock, log } = this.#options;
    if (apiServer.audit === undefined) return undefined;
    const { policy, log: file } = apiServer.audit;
    const audit = new AuditLog({ ...file, clock, log: log.child('audit') });
    await audit.open();
    this.#closers.push(() => audit.close());
    return new Auditor(policy, audit, clock);
  }

  #openLibsql(): Promise<Datastore> {
    const { paths, clock, log, onFatal } = this.#options;
    return openLibsqlDatastore({
      path: paths.database,
      nativeDir: paths.native,
      log: log.child('datastore'),
      clock,
      onFatal,
    });
  }

  /** Makes this server one of the endpoints of `default/kubernetes`. */
  async #announce(client: Client): Promise<void> {
    const { advertiseAddress: address, shared, clock, log } = this.#options;
    const port = this.#options.port || DEFAULT_PORT;
    if (shared === undefined) return ensureKubernetesEndpoints(client, [address], port);
    const { nodeName, critical } = shared;
    const endpoints = new ApiEndpoints({
      client,
      clock,
      log: log.child('api-endpoints'),
      nodeName,
      critical,
      address,
      port,
    });
    await endpoints.start();
    this.#closers.push(() => endpoints.stop());
  }

  /** Deletes Events when they are old; one server does it for all. */
  eventExpiry(): Component {
    const { clock, log } = this.#options;
    const expiry = new EventExpiry(this.client(LOOPBACK_USER), clock, log.child('event-expiry'));
    return {
      name: 'event-expiry',
      start: () => expiry.start(),
      ready: async () => {},
      stop: () => expiry.stop(),
    };
  }

  /** Enters metrics.k8s.io, answered from what the kubelets say. */
  #serveMetrics(store: Store, registry: ResourceRegistry): void {
    const { clock, certificates, log } = this.#options;
    const kubelets = new KubeletMetrics(store, kubeletTls(certificates.current));
    const scraper = new MetricsScraper({
      nodes: () => store.list(nodes).map(({ object }) => object.metadata.name),
      fetch: (node, signal) => kubelets.fetch(node, signal),
      clock,
      log: log.child('metrics'),
    });
    this.#closers.push(certificates.onChange((renewed) => kubelets.setTls(kubeletTls(renewed))));
    this.#closers.push(() => {
      scraper.stop();
      kubelets.close();
    });
    for (const descriptor of metricsResources({ store, clock, usage: () => scraper.usage() })) registry.set(descriptor);
  }

  #apiServer(core: ApiCore, { authenticator, issuer, passes, services, datastore, signal }: ServingParts): ApiServer {
    const { advertiseAddress, bindAddress, port, certificates, join, log } = this.#options;
    const { limits, requestTimeoutMs, shutdownDelayMs } = this.#options.apiServer ?? DEFAULT_SETTINGS;
    const host = isIPv6(advertiseAddress) ? `[${advertiseAddress}]` : advertiseAddress;
    const jwks = '/openid/v1/jwks';
    const connector = new Connector(core.operations.store, kubeletTls(certificates.current), log.child('connect'));
    this.#closers.push(certificates.onChange((renewed) => connector.setTls(kubeletTls(renewed))));
    const identity = (): ProxyIdentity => proxyIdentity(certificates.current);
    const aggregator = new Aggregator({ controller: services, connector, store: core.operations.store, identity });
    const isAvailable = (service: APIService): boolean => services.availability(service).status === 'True';
    const remote = new RemoteDiscovery({
      services: () => services.remotes(),
      isAvailable,
      fetch: (service) => aggregator.resources(service),
      clock: core.clock,
      log: log.child('discovery'),
    });
    const available = (): { group: string; version: string }[] =>
      [...services.remotes()].filter(isAvailable).map(({ spec: { group = '', version = '' } }) => ({ group, version }));
    return new ApiServer({
      core,
      aggregator,
      authenticator,
      discovery: new Discovery(core.registry, `${host}:${port}`, remote),
      openapi: new OpenApi(core.registry, loadDescriptions, versionInfo, core.clock, available),
      limits,
      requestTimeoutMs,
      shutdownDelayMs,
      health: new HealthChecks(healthChecks(datastore, signal)),
      metrics: () => [datastore.text(), core.watchMetrics.text(), core.auditor?.text() ?? noAuditText()],
      connector,
      version: versionInfo,
      routes: [
        ...(join === undefined
          ? []
          : joinRoutes({
              ...join,
              passes,
              caBundle: () => certificates.current.authorities['server-ca'].certificate,
              client: () => this.client(LOOPBACK_USER),
              log: log.child('join'),
            })),
        ...(this.#options.routes ?? []),
      ],
      oidc: {
        '/.well-known/openid-configuration': issuer.discoveryDocument(`https://${host}:${port}${jwks}`),
        [jwks]: issuer.keySet(),
      },
      bindAddress,
      port,
      tls: servingTls(certificates.current),
      log: log.child('apiserver'),
    });
  }

  async ready(): Promise<void> {}

  async stop(): Promise<void> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) await close();
  }
}

interface ServingParts {
  readonly authenticator: Authenticator;
  readonly issuer: TokenIssuer;
  readonly passes: JoiningPasses;
  readonly services: ApiServiceController;
  readonly datastore: ObservedDatastore;
  /** Aborts when the process is asked to end. */
  readonly signal: AbortSignal;
}

/** The room that the database takes, with its log. */
const databaseBytes = (paths: Paths) => (): number =>
  [paths.database, `${paths.database}-wal`].reduce(
    (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );

/** How the API server proves itself to kubelets. */
function kubeletTls({ leaves, authorities }: Certificates): KubeletTls {
  const { key, certificate } = leaves['client-kube-apiserver'];
  return { ca: authorities['server-ca'].certificate, cert: certificate, key };
}

function proxyIdentity({ leaves }: Certificates): ProxyIdentity {
  const { key, certificate } = leaves['client-auth-proxy'];
  return { key, cert: certificate };
}

function trusted({ authorities }: Certificates): TrustedAuthorities {
  return {
    clientCA: authorities['client-ca'].certificate,
    requestHeaderCA: authorities['request-header-ca'].certificate,
  };
}

function servingTls({ leaves, authorities }: Certificates): ServingTls {
  const serving = leaves['serving-kube-apiserver'];
  return { key: serving.key, cert: serving.certificate, clientCA: authorities['client-ca'].certificate };
}
