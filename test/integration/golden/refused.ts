/** Pods with fields that 1.32 drops unread: the features they belong to are stable since, and their values are judged. */
import { isFields, type Step } from './recording.ts';

/** By step: where, which reason, which message. */
const REFUSED: Readonly<Record<string, readonly [field: string, reason: string, message: string]>> = {
  'Pod: procMount unmasked without user namespace': [
    'spec.containers[0].securityContext.procMount',
    'FieldValueInvalid',
    'Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`',
  ],
  'Pod: resize policy duplicate': [
    'spec.containers[0].resizePolicy[1]',
    'FieldValueDuplicate',
    'Duplicate value: "cpu"',
  ],
};

/** Makes the expectation of such a step the refusal of today. */
export function refuseWhatWasDropped({ name, expect }: Step): void {
  const refused = REFUSED[name];
  if (refused === undefined || expect?.status !== 201 || !isFields(expect.body)) return;
  const [field, reason, message] = refused;
  const { metadata } = expect.body;
  const object = isFields(metadata) ? String(metadata['name']) : '';
  expect.status = 422;
  expect.body = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `Pod ${JSON.stringify(object)} is invalid: ${field}: ${message}`,
    reason: 'Invalid',
    details: { name: object, kind: 'Pod', causes: [{ reason, message, field }] },
    code: 422,
  };
}

const FRACTION = /^(.* is invalid: )(\S+: Invalid value: "number": (\S+) in body must be of type integer: "number")$/;

/** Numbers of custom resources are held to the range of their type since 1.36: what is no integer is told twice. */
export function judgeNumbers({ expect }: Step): void {
  if (!isFields(expect?.body)) return;
  const { message, details } = expect.body;
  const [, head, refusal, path] = (typeof message === 'string' && FRACTION.exec(message)) || [];
  if (head === undefined || !isFields(details) || !Array.isArray(details['causes'])) return;
  const text = `Invalid value: "": Checked value must be of type integer (default format) in ${path}`;
  expect.body['message'] = `${head}[${refusal}, <nil>: ${text}]`;
  details['causes'].push({ reason: 'FieldValueInvalid', message: text, field: '<nil>' });
}
