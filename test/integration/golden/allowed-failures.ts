interface Allowed {
  readonly reason: string;
  readonly steps: readonly string[];
}

/** Steps of scenario files that fail, and why. They have to fail: all others pass. */
const ALLOWED: Readonly<Record<string, readonly Allowed[]>> = {
  'crd-invalid.json': [
    {
      reason: 'rules in CEL are not read yet',
      steps: [
        'schema: CEL unknown field',
        'schema: CEL types differ',
        'schema: CEL fieldPath',
        'schema: CEL messageExpression',
        'schema: oldSelf in an unordered list',
      ],
    },
  ],
  'invalid-cluster.json': [
    {
      reason: 'rules in CEL are not read yet',
      steps: [
        'ValidatingWebhookConfiguration: match condition does not compile',
        'ValidatingAdmissionPolicy: does not compile',
        'ValidatingAdmissionPolicy: messageExpression is not a string',
        'ValidatingAdmissionPolicy: params without paramKind',
      ],
    },
  ],
  'pod-security.json': [
    {
      reason: 'the PodSecurity admission is not there yet',
      steps: [
        'PB: privileged',
        'PB: host network',
        'PB: host pid and ipc',
        'PB: host path',
        'PB: host port',
        'PB: capability',
        'PB: unsafe sysctl',
        'PB: several faults',
        'PR: plain',
        'PR: privileged',
        'PR: host network',
        'PR: host pid and ipc',
        'PR: host path',
        'PR: host port',
        'PR: capability',
        'PR: unsafe sysctl',
        'PR: several faults',
        'PW: plain',
        'PW: privileged',
        'PV: plain',
        'PV: privileged',
        'PV: host network',
        'PV: host pid and ipc',
        'PR: Deployment is only warned about',
        'PR: Job is only warned about',
        'tightening a namespace warns about its pods',
        'unknown level',
        'bad version',
        'namespace with a bad level',
        'update of a running pod, image',
        'update of its labels',
      ],
    },
  ],
};

/** The steps of a file that fail, with the reason of each. */
export function allowedFailures(file: string): ReadonlyMap<string, string> {
  const groups = ALLOWED[file] ?? [];
  return new Map(groups.flatMap(({ reason, steps }) => steps.map((step) => [step, reason] as const)));
}
