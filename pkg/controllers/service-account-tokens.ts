/** Upstream's serviceaccount-token controller: fills in the token Secrets that somebody made for a service account. */
import { secrets, serviceAccounts } from '../api/resources.ts';
import { objectKey, splitKey } from '../apimachinery/object-meta.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import type { Component } from '../base/component.ts';
import { type ControllerContext, createController, watch, watchOwn } from './controller.ts';

const TYPE = 'kubernetes.io/service-account-token';
const NAME = 'kubernetes.io/service-account.name';
const UID = 'kubernetes.io/service-account.uid';

export interface SecretTokenOptions {
  /** The cluster's CA bundle in PEM. */
  readonly rootCA: string;
  /** The token of `account` that belongs into the Secret named `secret`. */
  issueSecretToken(request: {
    readonly namespace: string;
    readonly account: { readonly name: string; readonly uid: string };
    readonly secret: string;
  }): string;
}

const encode = (text: string): string => Buffer.from(text).toString('base64');

export function createServiceAccountTokenController(
  context: ControllerContext,
  options: SecretTokenOptions,
): Component {
  const { client } = context;
  const secretInformer = client.informer(secrets);
  const accountInformer = client.informer(serviceAccounts);
  const caText = encode(options.rootCA);

  async function exists(name: string, namespace: string): Promise<boolean> {
    try {
      await client.get(serviceAccounts, name, namespace);
      return true;
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
      return false;
    }
  }

  async function reconcile(key: string): Promise<undefined> {
    const { namespace = '', name } = splitKey(key);
    const secret = secretInformer.get(name, namespace);
    if (secret === undefined || secret.type !== TYPE || secret.metadata.deletionTimestamp !== undefined) return;
    const { annotations = {}, uid } = secret.metadata;
    const accountName = annotations[NAME] ?? '';
    const account = accountInformer.get(accountName, namespace);
    const isOther =
      account !== undefined && annotations[UID] !== undefined && annotations[UID] !== account.metadata.uid;
    if (isOther || (account === undefined && !(await exists(accountName, namespace)))) {
      await client.delete(secrets, name, { namespace, preconditions: { uid } });
      return;
    }
    // Its creation is on its way.
    if (account === undefined) throw new Error(`the service account ${accountName} is not seen yet`);
    const { data = {} } = secret;
    const request = { namespace, account: { name: accountName, uid: account.metadata.uid }, secret: name };
    const wanted = {
      ...data,
      'ca.crt': caText,
      namespace: data['namespace'] || encode(namespace),
      token: data['token'] || encode(options.issueSecretToken(request)),
    };
    const isWhole = Object.entries(wanted).every(([field, value]) => data[field] === value);
    if (isWhole && annotations[UID] === account.metadata.uid) return;
    const metadata = { ...secret.metadata, annotations: { ...annotations, [UID]: account.metadata.uid } };
    await client.update(secrets, { ...secret, metadata, data: wanted });
  }

  return createController(
    {
      name: 'serviceaccount-token-controller',
      workers: 1,
      watches: [
        watchOwn(secretInformer),
        watch(accountInformer, ({ type, object: { metadata } }, queue) => {
          if (type !== 'deleted') return;
          for (const secret of secretInformer.list(metadata.namespace)) {
            if (secret.metadata.annotations?.[NAME] === metadata.name) queue.add(objectKey(secret));
          }
        }),
      ],
      reconcile,
    },
    context,
  );
}
