/** The built-in resources: what is served, under which name, with which type. Behaviour is in pkg/registry. */
import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from './generated/admissionregistration-v1.ts';
import type { CustomResourceDefinition } from './generated/apiextensions-v1.ts';
import type { APIService } from './generated/apiregistration-v1.ts';
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from './generated/apps-v1.ts';
import type { SelfSubjectReview, TokenReview } from './generated/authentication-v1.ts';
import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
} from './generated/authorization-v1.ts';
import type { HorizontalPodAutoscaler as HorizontalPodAutoscalerV1 } from './generated/autoscaling-v1.ts';
import type { HorizontalPodAutoscaler } from './generated/autoscaling-v2.ts';
import type { CronJob, Job } from './generated/batch-v1.ts';
import type { CertificateSigningRequest } from './generated/certificates-v1.ts';
import type { Lease } from './generated/coordination-v1.ts';
import type {
  Binding,
  ComponentStatus,
  ConfigMap,
  Endpoints,
  Event,
  LimitRange,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodTemplate,
  ReplicationController,
  ResourceQuota,
  Secret,
  Service,
  ServiceAccount,
} from './generated/core-v1.ts';
import type { EndpointSlice } from './generated/discovery-v1.ts';
import type { Event as EventsEvent } from './generated/events-v1.ts';
import type { FlowSchema, PriorityLevelConfiguration } from './generated/flowcontrol-v1.ts';
import type { NodeMetrics, PodMetrics } from './generated/metrics-v1beta1.ts';
import type { Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR } from './generated/networking-v1.ts';
import type { RuntimeClass } from './generated/node-v1.ts';
import type { PodDisruptionBudget } from './generated/policy-v1.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from './generated/rbac-v1.ts';
import type { DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice } from './generated/resource-v1.ts';
import type { PriorityClass } from './generated/scheduling-v1.ts';
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from './generated/storage-v1.ts';
import type { KubeObject, ResourceType } from './types.ts';

function define<T extends KubeObject>(
  group: string,
  version: string,
  kind: string,
  resource: string,
  scope: 'namespaced' | 'cluster',
): ResourceType<T> {
  return { group, version, kind, resource, namespaced: scope === 'namespaced' };
}

export const bindings = define<Binding>('', 'v1', 'Binding', 'bindings', 'namespaced');
export const componentStatuses = define<ComponentStatus>('', 'v1', 'ComponentStatus', 'componentstatuses', 'cluster');
export const configMaps = define<ConfigMap>('', 'v1', 'ConfigMap', 'configmaps', 'namespaced');
export const endpoints = define<Endpoints>('', 'v1', 'Endpoints', 'endpoints', 'namespaced');
export const events = define<Event>('', 'v1', 'Event', 'events', 'namespaced');
export const limitRanges = define<LimitRange>('', 'v1', 'LimitRange', 'limitranges', 'namespaced');
export const namespaces = define<Namespace>('', 'v1', 'Namespace', 'namespaces', 'cluster');
export const nodes = define<Node>('', 'v1', 'Node', 'nodes', 'cluster');
export const persistentVolumeClaims = define<PersistentVolumeClaim>(
  '',
  'v1',
  'PersistentVolumeClaim',
  'persistentvolumeclaims',
  'namespaced',
);
export const persistentVolumes = define<PersistentVolume>('', 'v1', 'PersistentVolume', 'persistentvolumes', 'cluster');
export const pods = define<Pod>('', 'v1', 'Pod', 'pods', 'namespaced');
export const podTemplates = define<PodTemplate>('', 'v1', 'PodTemplate', 'podtemplates', 'namespaced');
export const replicationControllers = define<ReplicationController>(
  '',
  'v1',
  'ReplicationController',
  'replicationcontrollers',
  'namespaced',
);
export const resourceQuotas = define<ResourceQuota>('', 'v1', 'ResourceQuota', 'resourcequotas', 'namespaced');
export const secrets = define<Secret>('', 'v1', 'Secret', 'secrets', 'namespaced');
export const serviceAccounts = define<ServiceAccount>('', 'v1', 'ServiceAccount', 'serviceaccounts', 'namespaced');
export const services = define<Service>('', 'v1', 'Service', 'services', 'namespaced');

export const controllerRevisions = define<ControllerRevision>(
  'apps',
  'v1',
  'ControllerRevision',
  'controllerrevisions',
  'namespaced',
);
export const daemonSets = define<DaemonSet>('apps', 'v1', 'DaemonSet', 'daemonsets', 'namespaced');
export const deployments = define<Deployment>('apps', 'v1', 'Deployment', 'deployments', 'namespaced');
export const replicaSets = define<ReplicaSet>('apps', 'v1', 'ReplicaSet', 'replicasets', 'namespaced');
export const statefulSets = define<StatefulSet>('apps', 'v1', 'StatefulSet', 'statefulsets', 'namespaced');

export const cronJobs = define<CronJob>('batch', 'v1', 'CronJob', 'cronjobs', 'namespaced');
export const jobs = define<Job>('batch', 'v1', 'Job', 'jobs', 'namespaced');

export const horizontalPodAutoscalersV1 = define<HorizontalPodAutoscalerV1>(
  'autoscaling',
  'v1',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
  'namespaced',
);

export const horizontalPodAutoscalers = define<HorizontalPodAutoscaler>(
  'autoscaling',
  'v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
  'namespaced',
);

export const podDisruptionBudgets = define<PodDisruptionBudget>(
  'policy',
  'v1',
  'PodDisruptionBudget',
  'poddisruptionbudgets',
  'namespaced',
);

export const ingresses = define<Ingress>('networking.k8s.io', 'v1', 'Ingress', 'ingresses', 'namespaced');
export const ingressClasses = define<IngressClass>(
  'networking.k8s.io',
  'v1',
  'IngressClass',
  'ingressclasses',
  'cluster',
);
export const networkPolicies = define<NetworkPolicy>(
  'networking.k8s.io',
  'v1',
  'NetworkPolicy',
  'networkpolicies',
  'namespaced',
);
export const ipAddresses = define<IPAddress>('networking.k8s.io', 'v1', 'IPAddress', 'ipaddresses', 'cluster');
export const serviceCIDRs = define<ServiceCIDR>('networking.k8s.io', 'v1', 'ServiceCIDR', 'servicecidrs', 'cluster');

export const endpointSlices = define<EndpointSlice>(
  'discovery.k8s.io',
  'v1',
  'EndpointSlice',
  'endpointslices',
  'namespaced',
);

export const roles = define<Role>('rbac.authorization.k8s.io', 'v1', 'Role', 'roles', 'namespaced');
export const roleBindings = define<RoleBinding>(
  'rbac.authorization.k8s.io',
  'v1',
  'RoleBinding',
  'rolebindings',
  'namespaced',
);
export const clusterRoles = define<ClusterRole>(
  'rbac.authorization.k8s.io',
  'v1',
  'ClusterRole',
  'clusterroles',
  'cluster',
);
export const clusterRoleBindings = define<ClusterRoleBinding>(
  'rbac.authorization.k8s.io',
  'v1',
  'ClusterRoleBinding',
  'clusterrolebindings',
  'cluster',
);

export const csiDrivers = define<CSIDriver>('storage.k8s.io', 'v1', 'CSIDriver', 'csidrivers', 'cluster');
export const csiNodes = define<CSINode>('storage.k8s.io', 'v1', 'CSINode', 'csinodes', 'cluster');
export const csiStorageCapacities = define<CSIStorageCapacity>(
  'storage.k8s.io',
  'v1',
  'CSIStorageCapacity',
  'csistoragecapacities',
  'namespaced',
);
export const storageClasses = define<StorageClass>('storage.k8s.io', 'v1', 'StorageClass', 'storageclasses', 'cluster');
export const volumeAttachments = define<VolumeAttachment>(
  'storage.k8s.io',
  'v1',
  'VolumeAttachment',
  'volumeattachments',
  'cluster',
);
export const volumeAttributesClasses = define<VolumeAttributesClass>(
  'storage.k8s.io',
  'v1',
  'VolumeAttributesClass',
  'volumeattributesclasses',
  'cluster',
);

export const priorityClasses = define<PriorityClass>(
  'scheduling.k8s.io',
  'v1',
  'PriorityClass',
  'priorityclasses',
  'cluster',
);

export const runtimeClasses = define<RuntimeClass>('node.k8s.io', 'v1', 'RuntimeClass', 'runtimeclasses', 'cluster');

export const leases = define<Lease>('coordination.k8s.io', 'v1', 'Lease', 'leases', 'namespaced');

export const certificateSigningRequests = define<CertificateSigningRequest>(
  'certificates.k8s.io',
  'v1',
  'CertificateSigningRequest',
  'certificatesigningrequests',
  'cluster',
);

export const mutatingWebhookConfigurations = define<MutatingWebhookConfiguration>(
  'admissionregistration.k8s.io',
  'v1',
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
  'cluster',
);
export const validatingWebhookConfigurations = define<ValidatingWebhookConfiguration>(
  'admissionregistration.k8s.io',
  'v1',
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
  'cluster',
);
export const validatingAdmissionPolicies = define<ValidatingAdmissionPolicy>(
  'admissionregistration.k8s.io',
  'v1',
  'ValidatingAdmissionPolicy',
  'validatingadmissionpolicies',
  'cluster',
);
export const validatingAdmissionPolicyBindings = define<ValidatingAdmissionPolicyBinding>(
  'admissionregistration.k8s.io',
  'v1',
  'ValidatingAdmissionPolicyBinding',
  'validatingadmissionpolicybindings',
  'cluster',
);
export const mutatingAdmissionPolicies = define<MutatingAdmissionPolicy>(
  'admissionregistration.k8s.io',
  'v1',
  'MutatingAdmissionPolicy',
  'mutatingadmissionpolicies',
  'cluster',
);
export const mutatingAdmissionPolicyBindings = define<MutatingAdmissionPolicyBinding>(
  'admissionregistration.k8s.io',
  'v1',
  'MutatingAdmissionPolicyBinding',
  'mutatingadmissionpolicybindings',
  'cluster',
);

export const customResourceDefinitions = define<CustomResourceDefinition>(
  'apiextensions.k8s.io',
  'v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  'cluster',
);

export const apiServices = define<APIService>('apiregistration.k8s.io', 'v1', 'APIService', 'apiservices', 'cluster');

export const tokenReviews = define<TokenReview>(
  'authentication.k8s.io',
  'v1',
  'TokenReview',
  'tokenreviews',
  'cluster',
);
export const selfSubjectReviews = define<SelfSubjectReview>(
  'authentication.k8s.io',
  'v1',
  'SelfSubjectReview',
  'selfsubjectreviews',
  'cluster',
);

export const subjectAccessReviews = define<SubjectAccessReview>(
  'authorization.k8s.io',
  'v1',
  'SubjectAccessReview',
  'subjectaccessreviews',
  'cluster',
);
export const localSubjectAccessReviews = define<LocalSubjectAccessReview>(
  'authorization.k8s.io',
  'v1',
  'LocalSubjectAccessReview',
  'localsubjectaccessreviews',
  'namespaced',
);
export const selfSubjectAccessReviews = define<SelfSubjectAccessReview>(
  'authorization.k8s.io',
  'v1',
  'SelfSubjectAccessReview',
  'selfsubjectaccessreviews',
  'cluster',
);
export const selfSubjectRulesReviews = define<SelfSubjectRulesReview>(
  'authorization.k8s.io',
  'v1',
  'SelfSubjectRulesReview',
  'selfsubjectrulesreviews',
  'cluster',
);

export const flowSchemas = define<FlowSchema>(
  'flowcontrol.apiserver.k8s.io',
  'v1',
  'FlowSchema',
  'flowschemas',
  'cluster',
);
export const priorityLevelConfigurations = define<PriorityLevelConfiguration>(
  'flowcontrol.apiserver.k8s.io',
  'v1',
  'PriorityLevelConfiguration',
  'prioritylevelconfigurations',
  'cluster',
);

export const nodeMetrics = define<NodeMetrics>('metrics.k8s.io', 'v1beta1', 'NodeMetrics', 'nodes', 'cluster');
export const podMetrics = define<PodMetrics>('metrics.k8s.io', 'v1beta1', 'PodMetrics', 'pods', 'namespaced');

export const eventsEvents = define<EventsEvent>('events.k8s.io', 'v1', 'Event', 'events', 'namespaced');

export const deviceClasses = define<DeviceClass>('resource.k8s.io', 'v1', 'DeviceClass', 'deviceclasses', 'cluster');
export const resourceClaims = define<ResourceClaim>(
  'resource.k8s.io',
  'v1',
  'ResourceClaim',
  'resourceclaims',
  'namespaced',
);
export const resourceClaimTemplates = define<ResourceClaimTemplate>(
  'resource.k8s.io',
  'v1',
  'ResourceClaimTemplate',
  'resourceclaimtemplates',
  'namespaced',
);
export const resourceSlices = define<ResourceSlice>(
  'resource.k8s.io',
  'v1',
  'ResourceSlice',
  'resourceslices',
  'cluster',
);
