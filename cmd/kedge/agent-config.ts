import { z } from 'zod';
import type { AgentConfig } from '../../pkg/agent/config.ts';
import { AGENT_FLAGS, type AgentFlagName } from './flags.ts';
import { NODE_SCHEMA, nodeConfig } from './node-config.ts';
import { PLACE_SCHEMA, readSettings, tokenOf } from './read-settings.ts';
import type { Settings } from './settings.ts';
import * as value from './values.ts';

const AGENT_SCHEMA = z.object({
  ...PLACE_SCHEMA,
  server: value.serverUrl.optional(),
  token: value.joinToken.optional(),
  'token-file': value.existingFile.optional(),
  ...NODE_SCHEMA,
} satisfies Record<AgentFlagName, z.ZodType>);

/** Checks all settings of `kedge agent`. Throws OperatorError naming the first bad one. */
export function agentConfig(settings: Settings): AgentConfig {
  const values = readSettings(AGENT_SCHEMA, AGENT_FLAGS, settings);
  return {
    debug: values.debug,
    dataDir: values['data-dir'],
    server: values.server,
    token: tokenOf(values, settings, 'token'),
    node: nodeConfig(values),
  };
}
