/**
 * An IPAddress for every address that a Service has, as upstream's allocator makes them (KEP-1880). Which addresses are
 * taken is read from the Services themselves: these are there to be looked at.
 */
import type { Service } from '../api/generated/core-v1.ts';
import type { IPAddress } from '../api/generated/networking-v1.ts';
import { ipAddresses, services } from '../api/resources.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import type { Component } from '../base/component.ts';
import { parseAddress } from '../base/ip.ts';
import { type ControllerContext, createController, watch } from './controller.ts';

const MANAGED_BY = 'ipaddress.kubernetes.io/managed-by';
const MANAGER = 'ipallocator.k8s.io';
const FAMILY = 'ipaddress.kubernetes.io/ip-family';

const addressesOf = ({ spec }: Service): readonly string[] =>
  (spec.clusterIPs ?? []).filter((address) => parseAddress(address) !== undefined);

const isOwn = ({ metadata }: IPAddress): boolean => metadata.labels?.[MANAGED_BY] === MANAGER;

/** Keeps the records of the addresses that Services have. */
export function createServiceAddressController(context: ControllerContext): Component {
  const { client } = context;
  const serviceInformer = client.informer(services);
  const addressInformer = client.informer(ipAddresses);
  /** The Service that has each address, as far as it is known. */
  const owners = new Map<string, { readonly namespace: string; readonly name: string }>();

  function note({ metadata: { name, namespace = '' } }: Service, address: string, has: boolean): void {
    const owner = owners.get(address);
    if (has) owners.set(address, { namespace, name });
    else if (owner?.name === name && owner.namespace === namespace) owners.delete(address);
  }

  async function reconcile(address: string): Promise<undefined> {
    const owner = owners.get(address);
    const record = addressInformer.get(address);
    if (record !== undefined) {
      const { parentRef } = record.spec;
      const isRight = owner !== undefined && parentRef?.name === owner.name && parentRef.namespace === owner.namespace;
      if (isRight || !isOwn(record)) return;
      const { uid } = record.metadata;
      await client.delete(ipAddresses, address, { preconditions: { uid } });
    }
    if (owner === undefined) return;
    const family = `IPv${parseAddress(address)?.family}`;
    try {
      await client.create(ipAddresses, {
        metadata: { name: address, labels: { [MANAGED_BY]: MANAGER, [FAMILY]: family } },
        spec: { parentRef: { group: '', resource: services.resource, ...owner } },
      });
    } catch (error) {
      if (!isStatusReason(error, 'AlreadyExists')) throw error;
    }
  }

  return createController(
    {
      name: 'service-cidrs-controller',
      workers: 1,
      watches: [
        watch(serviceInformer, (event, queue) => {
          const old = event.type === 'modified' ? addressesOf(event.old) : [];
          const current = event.type === 'deleted' ? [] : addressesOf(event.object);
          const gone = event.type === 'deleted' ? addressesOf(event.object) : old;
          for (const address of gone) note(event.object, address, false);
          for (const address of current) note(event.object, address, true);
          for (const address of new Set([...gone, ...current])) {
            if (gone.includes(address) !== current.includes(address)) queue.add(address);
          }
        }),
        watch(addressInformer, ({ type, object }, queue) => {
          if (type !== 'modified' && isOwn(object)) queue.add(object.metadata.name);
        }),
      ],
      reconcile,
    },
    context,
  );
}
