import type { JsonObject } from '../../../pkg/api/schema.ts';

/** A kind's smallest valid object, and what can be changed of it. */
export interface Sample {
  /** What the object holds beside its name; `n` tells objects apart that must differ in more than that. */
  make(n: number): JsonObject;
  /** The name of the object where it has to have a form of its own. */
  nameOf?(n: number): string;
  /** A merge patch of something else than metadata and status; it may be one that an update refuses. */
  readonly change?: JsonObject;
  /** A merge patch of the status, where there is a view of it. */
  readonly status?: JsonObject;
  /** The condition that the server itself writes last after a creation. */
  readonly settledBy?: string;
  /** metadata.generation moves with the labels. */
  readonly labelsMoveGeneration?: true;
}

const TIME = '2026-01-02T03:04:05Z';
const MICRO_TIME = '2026-01-02T03:04:05.000000Z';
const LABELS: JsonObject = { app: 'sample' };
const POD_SPEC: JsonObject = { containers: [{ name: 'main', image: 'registry.invalid/sample' }] };
const TEMPLATE: JsonObject = { metadata: { labels: LABELS }, spec: POD_SPEC };
const JOB_SPEC: JsonObject = { template: { spec: { ...POD_SPEC, restartPolicy: 'Never' } } };
const WORKLOAD: JsonObject = { selector: { matchLabels: LABELS }, template: TEMPLATE };
const CONDITION: JsonObject = {
  type: 'Sampled',
  status: 'True',
  reason: 'Sampled',
  message: 'by a test',
  lastTransitionTime: TIME,
};
const CONDITIONS: JsonObject = { conditions: [CONDITION] };
const CLASS_RULES: JsonObject[] = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }];
const ROLE_REF = (kind: string): JsonObject => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: 'sample' });
const DEVICE_REQUEST: JsonObject = { name: 'one', exactly: { deviceClassName: 'sample' } };
const CLAIM_SPEC: JsonObject = { devices: { requests: [DEVICE_REQUEST] } };
const RESOURCE_RULES: JsonObject = {
  resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['widgets'], operations: ['CREATE'] }],
};
const webhooks: JsonObject[] = [
  {
    name: 'never.example.com',
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    clientConfig: { url: 'https://192.0.2.1/never' },
    rules: [{ apiGroups: ['never.example.com'], apiVersions: ['v1'], resources: ['nothing'], operations: ['CREATE'] }],
  },
];
const VALUE_CHANGE: JsonObject = { data: { b: 'two' } };
/** What certificates are asked for with. */
export const SIGNING_REQUEST = Buffer.from(`-----BEGIN CERTIFICATE REQUEST-----
MIGQMEQCAQAwETEPMA0GA1UEAwwGc2FtcGxlMCowBQYDK2VwAyEACRkLJR+Yo3Te
4Q7zvGxBSTlgJi0FrX72jQ2UAf6Ve1GgADAFBgMrZXADQQB4ZVhk6xbB2SPDFjTH
MnA99ZQzkI306sWzTQcuIHStZubswO/J7BFpckqEVRwZskBsynNhxivpgA+di2hn
K6kH
-----END CERTIFICATE REQUEST-----
`).toString('base64');

const sample = (body: JsonObject, more: Omit<Sample, 'make'> = {}): Sample => ({ make: () => body, ...more });
const spec = (body: JsonObject, more: Omit<Sample, 'make'> = {}): Sample => sample({ spec: body }, more);

const plural = (n: number): string => `things${n}`;

/** The definition of a custom resource with all that one can have. */
export const GADGETS: JsonObject = {
  metadata: { name: 'gadgets.every-kind.example.com' },
  spec: {
    group: 'every-kind.example.com',
    scope: 'Namespaced',
    names: { plural: 'gadgets', kind: 'Gadget' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
        },
        additionalPrinterColumns: [{ name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' }],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { replicas: { type: 'integer', default: 1 } } },
              status: { type: 'object', properties: { replicas: { type: 'integer' } } },
            },
          },
        },
      },
    ],
  },
};

/** By kind; `group/Kind` where two groups have one of that name. */
export const SAMPLES: Readonly<Record<string, Sample>> = {
  ConfigMap: sample({ data: { a: 'one' } }, { change: VALUE_CHANGE }),
  Endpoints: sample(
    { subsets: [{ addresses: [{ ip: '192.0.2.7' }], ports: [{ port: 80 }] }] },
    { change: { subsets: [] } },
  ),
  '/Event': sample(
    { involvedObject: { kind: 'Pod', namespace: 'default', name: 'x' }, reason: 'Sampled', type: 'Normal' },
    {
      change: { message: 'other' },
    },
  ),
  LimitRange: spec(
    { limits: [{ type: 'Pod', max: { cpu: '2' } }] },
    {
      change: { spec: { limits: [{ type: 'Pod', max: { cpu: '3' } }] } },
    },
  ),
  Namespace: sample({}, { change: { spec: { finalizers: ['example.com/other'] } }, status: CONDITIONS }),
  Node: sample({}, { change: { spec: { unschedulable: true } }, status: CONDITIONS }),
  PersistentVolumeClaim: spec(
    { accessModes: ['ReadWriteOnce'], storageClassName: 'none', resources: { requests: { storage: '1Gi' } } },
    { change: { spec: { volumeName: 'other' } }, status: CONDITIONS },
  ),
  PersistentVolume: spec(
    { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/sample' } },
    { change: { spec: { persistentVolumeReclaimPolicy: 'Delete' } }, status: { phase: 'Failed', message: 'x' } },
  ),
  Pod: spec(POD_SPEC, { change: { spec: { activeDeadlineSeconds: 5 } }, status: { message: 'x', ...CONDITIONS } }),
  PodTemplate: sample({ template: TEMPLATE }, { change: { template: { spec: { hostname: 'x' } } } }),
  ReplicationController: spec(
    { selector: LABELS, template: TEMPLATE },
    {
      change: { spec: { replicas: 3 } },
      status: { replicas: 2 },
    },
  ),
  ResourceQuota: spec(
    { hard: { 'count/widgets.example.com': '5' } },
    {
      change: { spec: { hard: { 'count/widgets.example.com': '6' } } },
      status: { hard: { 'count/widgets.example.com': '5' }, used: { 'count/widgets.example.com': '1' } },
    },
  ),
  Secret: sample({ data: { a: 'b25l' } }, { change: { data: { b: 'dHdv' } } }),
  ServiceAccount: sample({}, { change: { automountServiceAccountToken: false } }),
  Service: spec(
    { ports: [{ port: 80 }] },
    {
      change: { spec: { sessionAffinity: 'ClientIP' } },
      status: { conditions: [{ ...CONDITION, type: 'example.com/sampled' }] },
    },
  ),
  APIService: {
    nameOf: (n) => `v1.sample${n}.example.com`,
    make: (n) => ({
      spec: { group: `sample${n}.example.com`, version: 'v1', groupPriorityMinimum: 10, versionPriority: 10 },
    }),
    change: { spec: { versionPriority: 11 } },
    settledBy: 'Available',
    status: CONDITIONS,
  },
  ControllerRevision: sample({ revision: 1, data: { a: 'b' } }, { change: { revision: 2 } }),
  DaemonSet: spec(WORKLOAD, {
    change: { spec: { minReadySeconds: 3 } },
    status: { currentNumberScheduled: 1, numberMisscheduled: 0, desiredNumberScheduled: 1, numberReady: 1 },
  }),
  Deployment: spec(WORKLOAD, { change: { spec: { replicas: 3 } }, status: { replicas: 2 } }),
  ReplicaSet: spec(WORKLOAD, { change: { spec: { replicas: 3 } }, status: { replicas: 2 } }),
  StatefulSet: spec({ serviceName: 'x', ...WORKLOAD }, { change: { spec: { replicas: 3 } }, status: { replicas: 2 } }),
  'events.k8s.io/Event': sample(
    {
      eventTime: MICRO_TIME,
      reportingController: 'example.com/sample',
      reportingInstance: 'sample-1',
      action: 'Sample',
      reason: 'Sampled',
      type: 'Normal',
      regarding: { kind: 'Pod', namespace: 'default', name: 'x' },
    },
    { change: { series: { count: 2, lastObservedTime: MICRO_TIME } } },
  ),
  HorizontalPodAutoscaler: spec(
    { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x' }, maxReplicas: 3 },
    { change: { spec: { maxReplicas: 4 } }, status: { currentReplicas: 1, desiredReplicas: 2 } },
  ),
  CronJob: spec(
    { schedule: '1 2 3 4 5', jobTemplate: { spec: JOB_SPEC } },
    {
      change: { spec: { suspend: true } },
      status: { lastScheduleTime: TIME },
    },
  ),
  Job: spec(
    { ...JOB_SPEC, suspend: true },
    {
      change: { spec: { parallelism: 3 } },
      status: { active: 1, ready: 0, startTime: TIME },
    },
  ),
  CertificateSigningRequest: spec(
    { request: SIGNING_REQUEST, signerName: 'example.com/none', usages: ['client auth'] },
    {
      change: { spec: { expirationSeconds: 700 } },
      status: { conditions: [{ ...CONDITION, type: 'Failed' }] },
    },
  ),
  IngressClass: spec(
    { controller: 'example.com/sample' },
    {
      change: { spec: { parameters: { kind: 'Widget', name: 'x' } } },
    },
  ),
  Ingress: spec(
    { defaultBackend: { service: { name: 'x', port: { number: 80 } } } },
    {
      change: { spec: { ingressClassName: 'x' } },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } },
    },
  ),
  IPAddress: {
    nameOf: (n) => `192.0.2.${n}`,
    make: () => ({ spec: { parentRef: { resource: 'services', namespace: 'default', name: 'x' } } }),
  },
  NetworkPolicy: spec({ podSelector: {} }, { change: { spec: { policyTypes: ['Egress'] } } }),
  ServiceCIDR: {
    make: (n) => ({ spec: { cidrs: [`198.51.100.${n * 8}/29`] } }),
    change: { spec: { cidrs: ['198.51.100.0/29'] } },
    status: CONDITIONS,
  },
  PodDisruptionBudget: spec(
    { minAvailable: 1, selector: { matchLabels: LABELS } },
    {
      change: { spec: { minAvailable: 2 } },
      status: { currentHealthy: 1, desiredHealthy: 1, disruptionsAllowed: 0, expectedPods: 1, ...CONDITIONS },
    },
  ),
  ClusterRole: sample({ rules: CLASS_RULES }, { change: { rules: [] } }),
  Role: sample({ rules: CLASS_RULES }, { change: { rules: [] } }),
  ClusterRoleBinding: sample(
    { roleRef: ROLE_REF('ClusterRole') },
    {
      change: { subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'nobody' }] },
    },
  ),
  RoleBinding: sample(
    { roleRef: ROLE_REF('Role') },
    {
      change: { subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'nobody' }] },
    },
  ),
  CSIDriver: spec({ attachRequired: true }, { change: { spec: { requiresRepublish: true } } }),
  CSINode: spec(
    { drivers: [] },
    { change: { spec: { drivers: [{ name: 'a.example.com', nodeID: 'x', topologyKeys: [] }] } } },
  ),
  CSIStorageCapacity: sample(
    { storageClassName: 'none', nodeTopology: { matchLabels: LABELS } },
    {
      change: { capacity: '5Gi' },
    },
  ),
  StorageClass: sample({ provisioner: 'example.com/none' }, { change: { allowVolumeExpansion: true } }),
  VolumeAttachment: spec(
    { attacher: 'example.com', nodeName: 'x', source: { persistentVolumeName: 'x' } },
    {
      change: { spec: { nodeName: 'y' } },
      status: { attached: true },
    },
  ),
  VolumeAttributesClass: sample({ driverName: 'example.com', parameters: { iops: '1' } }),
  MutatingAdmissionPolicy: spec(
    {
      matchConstraints: RESOURCE_RULES,
      reinvocationPolicy: 'Never',
      mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } }],
    },
    { change: { spec: { reinvocationPolicy: 'IfNeeded' } } },
  ),
  MutatingAdmissionPolicyBinding: spec(
    { policyName: 'none' },
    {
      change: { spec: { matchResources: { namespaceSelector: { matchLabels: LABELS } } } },
    },
  ),
  MutatingWebhookConfiguration: sample({ webhooks }, { change: { webhooks: [] } }),
  ValidatingAdmissionPolicy: spec(
    { matchConstraints: RESOURCE_RULES, validations: [{ expression: 'true' }] },
    {
      change: { spec: { failurePolicy: 'Ignore' } },
      status: { observedGeneration: 1 },
    },
  ),
  ValidatingAdmissionPolicyBinding: spec(
    { policyName: 'none', validationActions: ['Deny'] },
    {
      change: { spec: { validationActions: ['Warn'] } },
    },
  ),
  ValidatingWebhookConfiguration: sample({ webhooks }, { change: { webhooks: [] } }),
  CustomResourceDefinition: {
    nameOf: (n) => `${plural(n)}.sample.example.com`,
    make: (n) => ({
      spec: {
        group: 'sample.example.com',
        scope: 'Namespaced',
        names: { plural: plural(n), kind: `Thing${n}` },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    }),
    change: { spec: { names: { categories: ['sampled'] } } },
    settledBy: 'Established',
    status: CONDITIONS,
  },
  PriorityClass: sample({ value: 5 }, { change: { description: 'other' } }),
  Lease: spec({ holderIdentity: 'x', leaseDurationSeconds: 15 }, { change: { spec: { holderIdentity: 'y' } } }),
  RuntimeClass: sample({ handler: 'none' }, { change: { scheduling: { nodeSelector: LABELS } } }),
  EndpointSlice: sample(
    { addressType: 'IPv4', endpoints: [], ports: [] },
    {
      change: { endpoints: [{ addresses: ['192.0.2.7'] }] },
      labelsMoveGeneration: true,
    },
  ),
  FlowSchema: spec(
    { priorityLevelConfiguration: { name: 'global-default' }, matchingPrecedence: 9000 },
    {
      change: { spec: { matchingPrecedence: 9001 } },
      status: CONDITIONS,
    },
  ),
  PriorityLevelConfiguration: spec(
    { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } },
    {
      change: { spec: { limited: { nominalConcurrencyShares: 7 } } },
      status: CONDITIONS,
    },
  ),
  Gadget: spec({}, { change: { spec: { replicas: 3 } }, status: { replicas: 2 } }),
  DeviceClass: spec({}, { change: { spec: { extendedResourceName: 'example.com/device' } } }),
  ResourceClaim: spec(CLAIM_SPEC, {
    change: { spec: { devices: { requests: [] } } },
    status: { allocation: { devices: {} } },
  }),
  ResourceClaimTemplate: sample({ spec: { spec: CLAIM_SPEC } }),
  ResourceSlice: {
    make: (n) => ({
      spec: {
        driver: 'example.com',
        pool: { name: `pool-${n}`, generation: 1, resourceSliceCount: 1 },
        allNodes: true,
      },
    }),
    change: { spec: { pool: { generation: 2 } } },
  },
};

const ACCESS: JsonObject = { resourceAttributes: { namespace: 'default', verb: 'get', resource: 'pods' } };

/** Kinds that are answered, not stored. */
export const REVIEWS: Readonly<Record<string, { readonly body: JsonObject; readonly status?: number }>> = {
  // There is no such Pod.
  Binding: { body: { metadata: { name: 'none' }, target: { kind: 'Node', name: 'none' } }, status: 404 },
  LocalSubjectAccessReview: { body: { metadata: { namespace: 'default' }, spec: { user: 'x', ...ACCESS } } },
  SelfSubjectAccessReview: { body: { spec: ACCESS } },
  SelfSubjectReview: { body: {} },
  SelfSubjectRulesReview: { body: { spec: { namespace: 'default' } } },
  SubjectAccessReview: { body: { spec: { user: 'x', ...ACCESS } } },
  TokenReview: { body: { spec: { token: 'x' } } },
};

/** What a PUT of a name that is not there creates. */
export const CREATED_BY_PUT: ReadonlySet<string> = new Set([
  'ClusterRole',
  'ClusterRoleBinding',
  'Endpoints',
  'Event',
  'Lease',
  'LimitRange',
  'Role',
  'RoleBinding',
  'RuntimeClass',
  'Service',
]);

/** What a PUT has to name the version of. */
export const UPDATED_BY_VERSION: ReadonlySet<string> = new Set([
  'APIService',
  'CSIDriver',
  'CSINode',
  'CSIStorageCapacity',
  'CustomResourceDefinition',
  'Gadget',
  'Lease',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionPolicyBinding',
  'MutatingWebhookConfiguration',
  'PodDisruptionBudget',
  'RuntimeClass',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingWebhookConfiguration',
  'VolumeAttachment',
]);

/** What a DELETE answers with, where others answer with a Status. */
export const SHOWN_WHEN_DELETED: ReadonlySet<string> = new Set([
  // These two are still there: their dependents are let go first.
  'Job',
  'ReplicationController',
  'CSIDriver',
  'CSINode',
  'CustomResourceDefinition',
  'DeviceClass',
  'Namespace',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'Pod',
  'PodTemplate',
  'ResourceClaim',
  'ResourceClaimTemplate',
  'ResourceQuota',
  'ResourceSlice',
  'Service',
  'ServiceAccount',
  'StorageClass',
  'VolumeAttachment',
  'VolumeAttributesClass',
]);

/** Of what a write of the status leaves the labels alone. */
export const STATUS_KEEPS_LABELS: ReadonlySet<string> = new Set([
  'APIService',
  'Deployment',
  'FlowSchema',
  'Gadget',
  'PriorityLevelConfiguration',
  'ResourceClaim',
  'ServiceCIDR',
  'ValidatingAdmissionPolicy',
  'VolumeAttachment',
]);
