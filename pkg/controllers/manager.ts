/** The controller manager: every controller as one component, started together. */
import type { ResourceType } from '../api/types.ts';
import { LOCAL_PATH_PROVISIONER } from '../apimachinery/volume-binding.ts';
import type { Clock } from '../base/clock.ts';
import type { Component } from '../base/component.ts';
import type { Logger } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import type { EventRecorder } from '../client/events.ts';
import type { ScaleAccess } from '../client/scale.ts';
import { type ApproverOptions, createCertificateApprover } from './certificates/approver.ts';
import { createCertificateCleaner } from './certificates/cleaner.ts';
import { createCertificateSigner, type SignerOptions } from './certificates/signer.ts';
import { createClusterRoleAggregationController } from './clusterrole-aggregation.ts';
import type { ControllerContext } from './controller.ts';
import { createCronJobController } from './cronjob/cronjob.ts';
import { createDaemonSetController } from './daemonset/daemonset.ts';
import { createDeploymentController } from './deployment/deployment.ts';
import { createDisruptionController } from './disruption/disruption.ts';
import { createEndpointsController } from './endpointslice/endpoints.ts';
import { createEndpointSliceController } from './endpointslice/endpointslice.ts';
import { createEndpointSliceMirroringController } from './endpointslicemirroring/endpointslicemirroring.ts';
import { createEphemeralVolumeController } from './ephemeral.ts';
import { createGarbageCollector } from './garbage-collector/garbage-collector.ts';
import type { MetadataSource } from './garbage-collector/metadata-source.ts';
import { createJobController } from './job/job.ts';
import { createLocalPathProvisioner, type LocalPathOptions } from './local-path/provisioner.ts';
import { createNamespaceController } from './namespace.ts';
import { createNodeIpamController } from './node/ipam.ts';
import { createNodeLifecycleController } from './node/lifecycle.ts';
import { createNodePasswordController } from './node/passwords.ts';
import { createTaintEvictionController } from './node/taint-eviction.ts';
import { createPersistentVolumeBinder } from './persistentvolume/binder.ts';
import { createClaimProtection, createVolumeProtection } from './persistentvolume/protection.ts';
import { createPodGarbageCollector } from './pod-gc.ts';
import { createHorizontalPodAutoscalerController } from './podautoscaler/horizontal.ts';
import { createReplicaSetController, createReplicationController } from './replicaset/replicaset.ts';
import { createResourceQuotaController } from './resourcequota/resourcequota.ts';
import { createRootCAPublisher } from './root-ca.ts';
import { createServiceAccountTokenController, type SecretTokenOptions } from './service-account-tokens.ts';
import { createServiceAddressController } from './service-addresses.ts';
import { createServiceAccountController } from './serviceaccount.ts';
import { createServiceLBController, type ServiceLBOptions } from './servicelb/servicelb.ts';
import { createStatefulSetController } from './statefulset/statefulset.ts';
import { createClaimProtectionController, createVolumeProtectionController } from './storage-protection.ts';
import { createTTLAfterFinishedController } from './ttl-after-finished.ts';

/** The service account of kube-system that the provisioner of `local-path` acts as; its name is k3s's. */
export const LOCAL_PATH_ACCOUNT = 'local-path-provisioner-service-account';

export interface ControllerManagerOptions extends Pick<SecretTokenOptions, 'issueSecretToken'> {
  /** The client of the manager itself. */
  readonly client: Client;
  /** The client of a controller: it acts as this service account of kube-system, with upstream's role for it. */
  clientFor(serviceAccount: string): Client;
  /** The scales of workloads, with the rights of the controller that runs as this service account. */
  scalesFor(serviceAccount: string): ScaleAccess;
  readonly clock: Clock;
  readonly log: Logger;
  /** The recorder under whose name a controller's events appear (`deployment-controller`). */
  recorderFor(controller: string): EventRecorder;
  /** The cluster's CA bundle in PEM, published to every namespace. */
  readonly rootCA: string;
  /** One block per address family, from which nodes get their Pod addresses. */
  readonly clusterCIDRs: readonly string[];
  /** How certificate requests are approved and signed; they wait for others when left out. */
  readonly certificates?: ApproverOptions & SignerOptions;
  /** The metadata of all objects, for the garbage collector. */
  readonly metadata: MetadataSource;
  /** Gives LoadBalancer Services the nodes' addresses; nobody does when left out. */
  readonly serviceLB?: ServiceLBOptions | undefined;
  /** The class `local-path`; undefined when it is disabled. */
  readonly localPath: LocalPathOptions | undefined;
  /** Every resource that is namespaced and can be listed and deleted, custom ones included. */
  listNamespacedResources(): Promise<readonly ResourceType[]> | readonly ResourceType[];
}

/** All controllers; it is ready when each has seen what there is. */
export function createControllerManager(options: ControllerManagerOptions): Component {
  const { clock, log } = options;
  const as = (controller: string, serviceAccount = controller): ControllerContext => ({
    client: options.clientFor(serviceAccount),
    clock,
    log,
    recorder: options.recorderFor(controller),
  });
  const controllers = [
    createServiceAccountController(as('service-account-controller')),
    createServiceAccountTokenController({ ...as('serviceaccount-token-controller'), client: options.client }, options),
    createRootCAPublisher(as('root-ca-cert-publisher'), options.rootCA),
    createClusterRoleAggregationController(as('clusterrole-aggregation-controller')),
    createNamespaceController(as('namespace-controller'), options),
    ...certificateControllers(as('certificate-controller'), options.certificates),
    createNodePasswordController(as('node-password-controller')),
    createNodeIpamController(as('cidrAllocator', 'node-controller'), options),
    createNodeLifecycleController(as('node-controller')),
    createTaintEvictionController(as('taint-eviction-controller', 'node-controller')),
    createDeploymentController(as('deployment-controller')),
    createReplicaSetController(as('replicaset-controller')),
    createReplicationController(as('replication-controller')),
    createDaemonSetController(as('daemonset-controller', 'daemon-set-controller')),
    createStatefulSetController(as('statefulset-controller')),
    createJobController(as('job-controller')),
    createCronJobController(as('cronjob-controller')),
    createTTLAfterFinishedController(as('ttl-after-finished-controller')),
    createDisruptionController(as('disruption-controller')),
    createHorizontalPodAutoscalerController(
      as('horizontal-pod-autoscaler'),
      options.scalesFor('horizontal-pod-autoscaler'),
    ),
    ...(options.serviceLB === undefined
      ? []
      : [createServiceLBController(as('service-lb-controller', 'service-controller'), options.serviceLB)]),
    createResourceQuotaController(as('resourcequota-controller'), options),
    createEndpointSliceController(as('endpoint-slice-controller', 'endpointslice-controller')),
    createEndpointSliceMirroringController(
      as('endpoint-slice-mirroring-controller', 'endpointslicemirroring-controller'),
    ),
    createEndpointsController(as('endpoint-controller')),
    createServiceAddressController(as('service-cidrs-controller')),
    createGarbageCollector(as('garbage-collector-controller', 'generic-garbage-collector'), options.metadata),
    createPodGarbageCollector(as('pod-garbage-collector')),
    createPersistentVolumeBinder(as('persistentvolume-controller', 'persistent-volume-binder')),
    createClaimProtection(as('pvc-protection-controller')),
    createVolumeProtection(as('pv-protection-controller')),
    createEphemeralVolumeController(as('ephemeral-volume-controller')),
    ...(options.localPath === undefined
      ? []
      : [createLocalPathProvisioner(as(LOCAL_PATH_PROVISIONER, LOCAL_PATH_ACCOUNT), options.localPath)]),
    createClaimProtectionController(as('persistentvolumeclaim-protection-controller', 'pvc-protection-controller')),
    createVolumeProtectionController(as('persistentvolume-protection-controller', 'pv-protection-controller')),
  ];
  return {
    name: 'controller-manager',
    async start(signal) {
      for (const controller of controllers) await controller.start(signal);
    },
    async ready() {
      await Promise.all(controllers.map((controller) => controller.ready()));
    },
    async stop() {
      await Promise.all(controllers.map((controller) => controller.stop()));
    },
  };
}

function certificateControllers(
  context: ControllerContext,
  options: ControllerManagerOptions['certificates'],
): Component[] {
  if (options === undefined) return [createCertificateCleaner(context)];
  return [
    createCertificateApprover(context, options),
    createCertificateSigner(context, options),
    createCertificateCleaner(context),
  ];
}
