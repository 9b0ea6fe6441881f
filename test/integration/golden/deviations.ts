/**
 * Where Kubernetes 1.36 answers otherwise than the 1.32 server the scenarios were recorded with, as changes to the
 * recordings. Each of them is told, with its reason, in docs/deviations.md.
 */
import { addNewResources } from './new-resources.ts';
import { type Fields, isFields, type Scenario, type Step, type Value } from './recording.ts';
import { judgeNumbers, refuseWhatWasDropped } from './refused.ts';

/** The scenario with its expectations as 1.36 answers; `scenario` itself is changed. */
export function asKubernetes136(scenario: Scenario): Scenario {
  for (const step of scenario.steps) {
    warnOfEndpoints(step);
    orderPods(step);
    if (step.expect?.body === undefined) continue;
    step.expect.body = walk(step.expect.body);
    refuseWhatWasDropped(step);
    judgeNumbers(step);
    const body = step.expect.body;
    addNewResources(step, body);
    const ignored = [
      ...(OF_THE_MOMENT[`${scenario.name} / ${step.name}`] ?? []),
      ...podGeneration(body),
      ...newVersionFields(step),
      ...changedDescriptions(body),
      ...credentialIds(body),
    ];
    if (ignored.length > 0) step.ignore = [...(step.ignore ?? []), ...ignored];
  }
  return scenario;
}

/** Who uses Endpoints is warned since 1.33. */
function warnOfEndpoints({ path, expect }: Step): void {
  if (expect === undefined || !/^\/api\/v1\/(namespaces\/[^/]+\/)?endpoints(\/|\?|$)/.test(path)) return;
  const warning = '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"';
  expect.headers = { ...expect.headers, warning: [warning] };
}

/** Texts that have changed, beginning with the words that tell them apart. */
const TEXTS: readonly (readonly [string, string])[] = [
  [
    'metadata.ownerReferences.uid: Invalid value: "": uid must',
    'metadata.ownerReferences.uid: Invalid value: "": must',
  ],
  [
    'metadata.ownerReferences.kind: Invalid value: "": kind must',
    'metadata.ownerReferences.kind: Invalid value: "": must',
  ],
  [
    'must be greater than 0 and less than terminationGracePeriodSeconds (30). Enable AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep.',
    'must be non-negative and less than terminationGracePeriodSeconds (30)',
  ],
  ['Invalid value: "": uid must not be empty', 'Invalid value: "": must not be empty'],
  ['Invalid value: "": kind must not be empty', 'Invalid value: "": must not be empty'],
];

function walk(value: Value): Value {
  if (typeof value === 'string') return TEXTS.reduce((text, [from, to]) => text.replaceAll(from, to), value);
  if (Array.isArray(value)) return value.filter((item) => !isForeignSource(item)).map(walk);
  if (value === null || typeof value !== 'object') return value;
  const result: Fields = {};
  for (const [key, item] of Object.entries(value)) {
    // creationTimestamp is `omitzero` since 1.34: templates and other unstored objects have none.
    if (item === undefined || (key === 'creationTimestamp' && item === null)) continue;
    result[key] = walk(item);
  }
  return result;
}

/** The recorded server mounts another project's CA into every Pod. */
function isForeignSource(item: Value): boolean {
  return isFields(item) && isFields(item['configMap']) && item['configMap']['name'] === 'openshift-service-ca.crt';
}

/** Pods have a generation since 1.35. */
function podGeneration(body: Value): string[] {
  if (!isFields(body)) return [];
  const field = 'metadata.generation';
  if (body['kind'] === 'Pod') return [field];
  if (body['kind'] === 'PodList') return [`items[*].${field}`];
  if (body['kind'] === 'Table' && isPodTable(body)) return [`rows[*].object.${field}`];
  const stream = body['stream'];
  if (Array.isArray(stream) && stream.some((event) => isFields(event) && isKind(event['object'], 'Pod'))) {
    return [`stream[*].object.${field}`];
  }
  return [];
}

function isPodTable(table: Fields): boolean {
  const columns = table['columnDefinitions'];
  return Array.isArray(columns) && columns.some((column) => isFields(column) && column['name'] === 'Nominated Node');
}

/** `/version` tells of emulation since 1.33. */
function newVersionFields(step: Step): string[] {
  if (step.path !== '/version') return [];
  return ['emulationMajor', 'emulationMinor', 'minCompatibilityMajor', 'minCompatibilityMinor'];
}

/** The beginnings of texts that 1.36 has in other words, or whose paragraphs cannot be told from its package of types. */
const CHANGED_DESCRIPTIONS = [
  'A label query over pods that are managed by the daemon set.',
  'Base64-encoded PKCS#10 CSR data',
  'Replicas is the most recently observed number of replicas.',
  'Replicas is the number of desired replicas.',
  'Requested signer for the request.',
  'Selector is a label query over pods that should match the replica count.',
  'Selects the pods to which this NetworkPolicy object applies.',
  'The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and ready.',
  'The number of ready replicas for this replica set.',
  'Total number of available pods (ready for at least minReadySeconds) targeted by this deployment.',
  'Total number of non-terminated pods targeted by this deployment',
  'addressType specifies the type of address carried by this EndpointSlice.',
  'attachRequired indicates this CSI volume driver requires an attach operation',
  'clusterIP is the IP address of the service and is usually assigned randomly.',
  'expirationSeconds is the requested duration of validity of the issued certificate.',
  'metrics contains the specifications for which to use to calculate the desired replica count',
  'ports specifies the list of network ports exposed by each endpoint in this slice.',
  'revision indicates the revision of the state represented by Data.',
  "tokenRequests indicates the CSI driver needs pods' service account tokens",
  'volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.',
];

function changedDescriptions(body: Value): string[] {
  const columns = isFields(body) ? body['columnDefinitions'] : undefined;
  if (!Array.isArray(columns)) return [];
  return columns.flatMap((column, index) => {
    const text = isFields(column) ? String(column['description']) : '';
    const isChanged = CHANGED_DESCRIPTIONS.some((beginning) => text.startsWith(beginning));
    return isChanged ? [`columnDefinitions[${index}].description`] : [];
  });
}

/** The hash of the certificate the recordings were made with. */
function credentialIds(body: Value): string[] {
  const path = 'spec.extra["authentication.kubernetes.io/credential-id"]';
  if (isKind(body, 'CertificateSigningRequest')) return [path];
  return isKind(body, 'CertificateSigningRequestList') ? [`items[*].${path}`] : [];
}

const isKind = (value: Value | undefined, kind: string): boolean => isFields(value) && value['kind'] === kind;

/** What depends on how fast controllers are, or on a flag the recorded controllers did not have (addresses for nodes). */
const OF_THE_MOMENT: Readonly<Record<string, readonly string[]>> = {
  'open/ctrl-deployment / two replica sets': ['items[*].status.observedGeneration'],
  'open/ctrl-deployment / scale to nothing': ['status.replicas'],
  'open/ctrl-daemonset / node a is ready': ['spec.podCIDR', 'spec.podCIDRs'],
  'open/ctrl-daemonset / node b leaves the pool': ['spec.podCIDR', 'spec.podCIDRs'],
};

/** This list is ordered by the whole text of its Pods, where the generation comes before what tells them apart. */
function orderPods(step: Step): void {
  if (step.name === 'a pod for node b') step.sortBy = { items: 'spec.nodeName' };
}
