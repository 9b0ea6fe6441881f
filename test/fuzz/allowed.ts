import type { FuzzRequest } from './requests.ts';

/** Answers of 500 and above that upstream gives, too. */
const ALLOWED: readonly {
  readonly status: number;
  readonly request?: RegExp;
  readonly answer: RegExp;
}[] = [
  // Recorded: test/golden, watch.json and patch.json.
  { status: 500, answer: /resourceVersion: Invalid value: / },
  { status: 500, answer: /unknown patch type: / },
  { status: 500, answer: /does not contain declared merge key: / },
  { status: 500, answer: /resourceVersion should not be set on objects to be created/ },
  { status: 500, answer: /merging lists cannot yet be specified in the patch/ },
  { status: 500, answer: /list element types are not identical: / },
  // The errors of upstream's validation of a Binding are no Status.
  { status: 500, request: /\/binding/, answer: /target\.(kind|name): / },
  // The port for health checks is taken without a judgement of its own.
  { status: 500, answer: /failed to allocate requested HealthCheck NodePort / },
  // Server-side apply of what does not fit the schema.
  { status: 500, answer: /failed to create typed patch object / },
  // A version of the future is waited for in vain.
  { status: 504, answer: /Too large resource version: / },
  // Requests for proxies to what is not there.
  { status: 503, request: /\/proxy/, answer: /no endpoints available for service/ },
];

/** Whether upstream answers such a request with such an error of its own; answers to HEAD and TRACE have no text to go by. */
export function isAllowed({ method, path, headers }: FuzzRequest, status: number, answer: string): boolean {
  // Asking to act as part of a group without acting as anybody.
  const impersonates = Object.keys(headers).some(
    (name) => name.startsWith('impersonate-') && name !== 'impersonate-user',
  );
  if (
    status === 500 &&
    impersonates &&
    (method === 'HEAD' || method === 'TRACE' || /without impersonating a user/.test(answer))
  )
    return true;
  return ALLOWED.some(
    (each) => each.status === status && each.answer.test(answer) && (each.request?.test(path) ?? true),
  );
}
