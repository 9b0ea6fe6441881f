import type { FieldSchema, Json, JsonObject, ScalarSchema, Schema, StructSchema } from '../../pkg/api/schema.ts';
import { apiVersionOf } from '../../pkg/api/types.ts';
import type { Descriptor } from '../../pkg/registry/descriptor.ts';
import type { Random } from './random.ts';

/** Few names, so that requests meet each other's objects. */
export const NAMES = ['a', 'b', 'c', 'x.y', 'fuzz'] as const;

const LABELS: JsonObject = { app: 'fuzz' };
const container = (fields: JsonObject = {}): JsonObject => ({ name: 'main', image: 'busybox', ...fields });
const podSpec = (fields: JsonObject = {}): JsonObject => ({
  containers: [
    container({
      ports: [{ containerPort: 80, name: 'http' }],
      env: [
        { name: 'A', value: 'b' },
        { name: 'C', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      ],
      resources: { limits: { cpu: '1', memory: '64Mi' }, requests: { cpu: '100m' } },
      livenessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 5 },
      volumeMounts: [{ name: 'v', mountPath: '/v' }],
    }),
  ],
  volumes: [{ name: 'v', emptyDir: {} }],
  tolerations: [{ key: 'a', operator: 'Exists' }],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] }],
      },
    },
  },
  ...fields,
});
const template = (fields: JsonObject = {}): JsonObject => ({ metadata: { labels: LABELS }, spec: podSpec(fields) });
const workload: JsonObject = { selector: { matchLabels: LABELS }, template: template() };
const crd: JsonObject = {
  group: 'fuzz.example.com',
  scope: 'Namespaced',
  names: { plural: 'widgets', kind: 'Widget' },
  versions: [
    {
      name: 'v1',
      served: true,
      storage: true,
      schema: {
        openAPIV3Schema: {
          type: 'object',
          properties: { spec: { type: 'object', properties: { size: { type: 'integer', default: 1, maximum: 9 } } } },
        },
      },
      subresources: { status: {} },
      additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }],
    },
  ],
};

/** Objects that are accepted as they stand, so that changes of them reach what lies behind the first checks. */
const VALID: Readonly<Record<string, JsonObject>> = {
  ConfigMap: { data: { a: 'b' }, binaryData: { c: 'ZA==' } },
  Secret: { type: 'Opaque', data: { a: 'Yg==' }, stringData: { c: 'd' } },
  Pod: { spec: podSpec() },
  Service: { spec: { selector: LABELS, ports: [{ port: 80, targetPort: 'http', protocol: 'TCP' }] } },
  ServiceAccount: { secrets: [{ name: 'x' }] },
  Deployment: { spec: { replicas: 1, ...workload, strategy: { rollingUpdate: { maxSurge: '25%' } } } },
  StatefulSet: { spec: { serviceName: 'a', ...workload } },
  DaemonSet: { spec: workload },
  ReplicaSet: { spec: workload },
  ReplicationController: { spec: { selector: LABELS, template: template() } },
  Job: { spec: { template: template({ restartPolicy: 'Never' }), backoffLimit: 1 } },
  CronJob: {
    spec: { schedule: '* * * * *', jobTemplate: { spec: { template: template({ restartPolicy: 'Never' }) } } },
  },
  Ingress: {
    spec: {
      rules: [
        {
          host: 'a.b',
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'a', port: { number: 80 } } } }],
          },
        },
      ],
    },
  },
  NetworkPolicy: { spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '127.0.0.0/8' } }] }] } },
  HorizontalPodAutoscaler: {
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' }, minReplicas: 1, maxReplicas: 3 },
  },
  PodDisruptionBudget: { spec: { minAvailable: '50%', selector: { matchLabels: LABELS } } },
  Role: { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  ClusterRole: { rules: [{ nonResourceURLs: ['/x'], verbs: ['get'] }] },
  RoleBinding: {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'a' },
    subjects: [{ kind: 'User', name: 'x', apiGroup: 'rbac.authorization.k8s.io' }],
  },
  PersistentVolumeClaim: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
  PersistentVolume: {
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/tmp/x' } },
  },
  LimitRange: { spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] } },
  ResourceQuota: { spec: { hard: { pods: '1000', 'requests.cpu': '500' } } },
  Lease: { spec: { holderIdentity: 'x', leaseDurationSeconds: 15, renewTime: '2024-01-01T00:00:00.000000Z' } },
  EndpointSlice: { addressType: 'IPv4', endpoints: [{ addresses: ['127.0.0.9'] }], ports: [{ port: 80, name: 'x' }] },
  PriorityClass: { value: 5 },
  StorageClass: { provisioner: 'x.y/z' },
  CustomResourceDefinition: { metadata: { name: 'widgets.fuzz.example.com' }, spec: crd },
  Widget: { spec: { size: 3 } },
  CertificateSigningRequest: { spec: { request: 'eA==', signerName: 'a.b/c', usages: ['client auth'] } },
  SubjectAccessReview: { spec: { user: 'x', resourceAttributes: { verb: 'get', resource: 'pods' } } },
  TokenRequest: { spec: { audiences: ['a'], expirationSeconds: 600 } },
  Eviction: {},
  Binding: { target: { kind: 'Node', name: 'none' } },
  Scale: { spec: { replicas: 2 } },
};

/** An object of the kind: one that is valid where there is one, else (and sometimes anyway) filled at random. */
export function sampleObject(random: Random, { type, schema }: Pick<Descriptor, 'type' | 'schema'>): JsonObject {
  const metadata: JsonObject = { name: random.pick(NAMES), labels: LABELS };
  if (type.namespaced) metadata['namespace'] = 'default';
  const head: JsonObject = { apiVersion: apiVersionOf(type), kind: type.kind, metadata };
  const valid = VALID[type.kind];
  if (valid !== undefined && random.chance(0.7)) return { ...head, ...structuredClone(valid) };
  return { ...filledStruct(random, schema, 0), ...head };
}

function filledStruct(random: Random, schema: StructSchema, depth: number): JsonObject {
  const object: JsonObject = {};
  for (const field of [
    ...schema.fields.values(),
    ...schema.inlined.flatMap((each) => [...each.schema.fields.values()]),
  ]) {
    const likely = field.required ? 0.95 : depth > 6 ? 0.02 : depth > 3 ? 0.15 : 0.3;
    if (random.chance(likely)) object[field.name] = filled(random, field.schema, field, depth + 1);
  }
  return object;
}

function filled(random: Random, schema: Schema, field: FieldSchema, depth: number): Json {
  switch (schema.kind) {
    case 'scalar':
      return scalar(random, schema, field.name);
    case 'struct':
      return filledStruct(random, schema, depth);
    case 'map':
      return { [random.pick(['a', 'cpu', 'x.y/z'])]: filled(random, schema.values, field, depth + 1) };
    case 'list':
      return Array.from({ length: random.below(3) + 1 }, () => filled(random, schema.items, field, depth + 1));
    case 'any':
      return random.pick<Json>([{}, { a: 1 }, 'x', [1]]);
  }
}

const TEXTS_OF: readonly (readonly [RegExp, readonly string[]])[] = [
  [/namespace$/i, ['default', 'none']],
  [/(ip|address|addresses|ips|cidrs?)$/i, ['127.0.0.1', '::1', '127.0.0.0/24', '10.43.0.9']],
  [/operator$/i, ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Equal', 'Gt']],
  [/schedule$/i, ['* * * * *', '@daily']],
  [/path$/i, ['/x', 'x', '.spec.size']],
  [/kind$/i, ['Pod', 'User', 'Deployment']],
  [/apiVersion$/i, ['v1', 'apps/v1']],
  [/expression$/i, ['true', 'self.x == 1']],
];

function scalar(random: Random, schema: ScalarSchema, name: string): Json {
  if (schema.enum !== undefined && random.chance(0.9)) return random.pick(schema.enum);
  switch (schema.type) {
    case 'boolean':
      return random.chance(0.5);
    case 'int32':
    case 'int64':
      return random.pick([0, 1, 2, 30, 80, 443, 600, 65535, -1]);
    case 'double':
      return random.pick([0, 0.5, 1]);
    case 'bytes':
      return random.pick(['', 'YQ==', 'eHl6']);
    case 'time':
      return '2024-01-01T00:00:00Z';
    case 'microTime':
      return '2024-01-01T00:00:00.000000Z';
    case 'duration':
      return random.pick(['1s', '1h', '0s']);
    case 'quantity':
      return random.pick(['1', '100m', '64Mi', '1e3', '0']);
    case 'intOrString':
      return random.pick<Json>([80, '50%', 'http']);
    case 'string':
      return random.pick(TEXTS_OF.find(([pattern]) => pattern.test(name))?.[1] ?? ['a', 'b', 'x.y', 'fuzz', 'x.y/z']);
  }
}
