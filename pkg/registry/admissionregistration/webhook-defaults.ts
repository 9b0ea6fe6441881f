import type {
  MatchResources,
  MutatingWebhook,
  RuleWithOperations,
  ValidatingWebhook,
} from '../../api/generated/admissionregistration-v1.ts';

const HTTPS_PORT = 443;
const TIMEOUT_SECONDS = 10;

/** Upstream's SetDefaults_ValidatingWebhook and SetDefaults_MutatingWebhook. */
export function defaultWebhook(webhook: ValidatingWebhook | MutatingWebhook): void {
  webhook.failurePolicy ??= 'Fail';
  webhook.matchPolicy ??= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= TIMEOUT_SECONDS;
  defaultRules(webhook.rules ?? []);
  if (webhook.clientConfig?.service !== undefined) webhook.clientConfig.service.port ??= HTTPS_PORT;
}

function defaultRules(rules: readonly RuleWithOperations[]): void {
  for (const rule of rules) rule.scope ??= '*';
}

/** Upstream's SetDefaults_MatchResources, of admission policies and their bindings. */
export function defaultMatchResources(match: MatchResources): void {
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  defaultRules(match.resourceRules ?? []);
  defaultRules(match.excludeResourceRules ?? []);
}
