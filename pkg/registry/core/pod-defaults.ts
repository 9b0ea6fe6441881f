import type { Container, EphemeralContainer, PodSpec, Probe, Volume } from '../../api/generated/core-v1.ts';
import { defaultClaimSpec } from './claim-defaults.ts';
import { isLatestImage } from './image-tag.ts';
import { defaultPodResources } from './pod-resources.ts';
import { roundAmounts } from './resource-list.ts';

/**
 * Fills in a Pod's spec as upstream's SetDefaults_PodSpec and its kin do, in place; for Pods and for the templates of
 * workloads. What the facts mark as default (ports' protocol) is already there.
 */
export function defaultPodSpec(spec: PodSpec): void {
  spec.restartPolicy ||= 'Always';
  spec.dnsPolicy ||= 'ClusterFirst';
  spec.terminationGracePeriodSeconds ??= 30;
  spec.securityContext ??= {};
  spec.schedulerName ||= 'default-scheduler';
  // The deprecated alias follows the field that replaced it.
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  else if (spec.serviceAccount) spec.serviceAccountName = spec.serviceAccount;
  for (const container of spec.initContainers ?? []) defaultContainer(container);
  for (const container of spec.containers ?? []) defaultContainer(container);
  for (const container of spec.ephemeralContainers ?? []) defaultContainer(container);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  roundAmounts(spec.overhead, spec.resources?.limits, spec.resources?.requests);
}

/** What only Pods themselves get, not templates (SetDefaults_Pod). */
export function defaultPod(spec: PodSpec): void {
  defaultPodSpec(spec);
  spec.enableServiceLinks ??= true;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const limits = container.resources?.limits;
    if (limits !== undefined) {
      container.resources = { ...container.resources, requests: { ...limits, ...container.resources.requests } };
    }
    if (spec.hostNetwork !== true) continue;
    for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
  }
  defaultPodResources(spec);
}

function defaultContainer(container: Container | EphemeralContainer): void {
  roundAmounts(container.resources?.limits, container.resources?.requests);
  container.terminationMessagePath ||= '/dev/termination-log';
  container.terminationMessagePolicy ||= 'File';
  container.imagePullPolicy ||= isLatestImage(container.image ?? '') ? 'Always' : 'IfNotPresent';
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    if (probe !== undefined) defaultProbe(probe);
  }
  for (const hook of [container.lifecycle?.postStart, container.lifecycle?.preStop]) {
    if (hook?.httpGet !== undefined) defaultHttpGet(hook.httpGet);
  }
  for (const variable of container.env ?? []) {
    const reference = variable.valueFrom?.fieldRef;
    if (reference !== undefined) reference.apiVersion ||= 'v1';
  }
}

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  if (probe.httpGet !== undefined) defaultHttpGet(probe.httpGet);
  if (probe.grpc !== undefined) probe.grpc.service ??= '';
}

function defaultHttpGet(action: { path?: string | undefined; scheme?: string | undefined }): void {
  action.path ||= '/';
  action.scheme ||= 'HTTP';
}

const FILE_MODE = 0o644;
const TOKEN_SECONDS = 3600;

function defaultVolume(volume: Volume): void {
  if (Object.keys(volume).every((key) => key === 'name')) volume.emptyDir = {};
  if (volume.secret !== undefined) volume.secret.defaultMode ??= FILE_MODE;
  if (volume.configMap !== undefined) volume.configMap.defaultMode ??= FILE_MODE;
  if (volume.hostPath !== undefined) volume.hostPath.type ??= '';
  if (volume.downwardAPI !== undefined) {
    volume.downwardAPI.defaultMode ??= FILE_MODE;
    for (const item of volume.downwardAPI.items ?? [])
      if (item.fieldRef !== undefined) item.fieldRef.apiVersion ||= 'v1';
  }
  if (volume.projected !== undefined) {
    volume.projected.defaultMode ??= FILE_MODE;
    for (const source of volume.projected.sources ?? []) {
      if (source.serviceAccountToken !== undefined) source.serviceAccountToken.expirationSeconds ??= TOKEN_SECONDS;
      for (const item of source.downwardAPI?.items ?? []) {
        if (item.fieldRef !== undefined) item.fieldRef.apiVersion ||= 'v1';
      }
    }
  }
  if (volume.image !== undefined) {
    volume.image.pullPolicy ||= isLatestImage(volume.image.reference ?? '') ? 'Always' : 'IfNotPresent';
  }
  defaultClaimSpec(volume.ephemeral?.volumeClaimTemplate?.spec);
}
