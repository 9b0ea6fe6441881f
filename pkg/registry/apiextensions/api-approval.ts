/** The approval that APIs in the groups of Kubernetes itself need (KEP-2337). */
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';

export const APPROVED_ANNOTATION = 'api-approved.kubernetes.io';
const PROTECTED = /(^|\.)(k8s|kubernetes)\.io$/;
const NEEDED = `protected groups must have approval annotation "${APPROVED_ANNOTATION}"`;
const SEE = 'see https://github.com/kubernetes/enhancements/pull/1111';

/** Whether the group belongs to Kubernetes itself, whose APIs need an approval. */
export const isProtectedGroup = (group: string): boolean => PROTECTED.test(group);

interface Approval {
  readonly state: 'missing' | 'bypassed' | 'approved' | 'invalid';
  readonly annotation: string;
  /** What is told of it, in errors and in the condition. */
  readonly text: string;
}

/** What the annotation of a definition says. */
export function approvalOf({ metadata }: CustomResourceDefinition): Approval {
  const annotation = metadata.annotations?.[APPROVED_ANNOTATION] ?? '';
  if (annotation === '') return { state: 'missing', annotation, text: `${NEEDED}, ${SEE}` };
  if (annotation.startsWith('unapproved')) {
    return { state: 'bypassed', annotation, text: `not approved: ${goQuote(annotation)}` };
  }
  const isUrl = URL.canParse(annotation) && /^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(annotation);
  if (isUrl) return { state: 'approved', annotation, text: `approved in ${annotation}` };
  const text = `${NEEDED} with either a URL or a reason starting with "unapproved", ${SEE}`;
  return { state: 'invalid', annotation, text };
}
