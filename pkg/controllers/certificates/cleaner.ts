/** Upstream's csrcleaner controller: requests that are done with go. */
import type { CertificateSigningRequest } from '../../api/generated/certificates-v1.ts';
import { certificateSigningRequests } from '../../api/resources.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { parseTime } from '../../apimachinery/time.ts';
import type { Component } from '../../base/component.ts';
import { type ControllerContext, createController, watchOwn } from '../controller.ts';

const HOUR_MS = 3_600_000;
/** Upstream's periods: judged or failed requests an hour, those nobody looked at a day. */
const DONE_MS = HOUR_MS;
const PENDING_MS = 24 * HOUR_MS;

export function createCertificateCleaner(context: ControllerContext): Component {
  const { client, clock } = context;
  const requests = client.informer(certificateSigningRequests);
  return createController(
    {
      name: 'certificatesigningrequest-cleaner-controller',
      workers: 1,
      watches: [watchOwn(requests)],
      async reconcile(name) {
        const request = requests.get(name);
        if (request === undefined) return undefined;
        const wait = expiry(request) - clock.now();
        if (wait > 0) return wait;
        try {
          await client.delete(certificateSigningRequests, name, { preconditions: { uid: request.metadata.uid } });
        } catch (error) {
          if (!isStatusReason(error, 'NotFound')) throw error;
        }
        return undefined;
      },
    },
    context,
  );
}

/** When the request is to go, in milliseconds. */
function expiry({ metadata, status }: CertificateSigningRequest): number {
  const times = (status?.conditions ?? []).map(({ lastUpdateTime }) => parseTime(lastUpdateTime) ?? 0);
  const created = parseTime(metadata.creationTimestamp) ?? 0;
  return times.length > 0 ? Math.max(...times) + DONE_MS : created + PENDING_MS;
}
