/** What a joining machine and a server tell each other; paths below the API server's port. */
import { z } from 'zod';
import { LEAF_LIFETIME_MS } from '../pki/certificate-plan.ts';

export const JOIN_PATH = '/v1-kedge/join';
export const CONFIG_PATH = '/v1-kedge/config';
export const TOKEN_PATH = '/v1-kedge/token';
/** With which a node that asks for the cluster's configuration shows that it is still the machine its name belongs to. */
export const NODE_PASSWORD_HEADER = 'kedge-node-password';

/** A machine that wants to be a node. */
export const joinRequestSchema = z.object({
  nodeName: z.string().min(1).max(253),
  /** Known to this machine only; it proves next time that the name is still the same machine's. */
  nodePassword: z.string().min(16).max(256),
  /** kedge's version on the machine. */
  version: z.string(),
});
export type JoinRequest = z.infer<typeof joinRequestSchema>;

/** What a node has to know of its cluster. */
export const clusterConfigSchema = z.object({
  clusterCIDR: z.string(),
  serviceCIDR: z.string(),
  clusterDNS: z.string(),
  clusterDomain: z.string(),
  flannelBackend: z.enum(['vxlan', 'host-gw', 'none']),
  disabled: z.object({ kubeProxy: z.boolean(), clusterDNS: z.boolean() }),
  /** PEM of the authority that signs the client certificates of the API server and of nodes. */
  clientCA: z.string(),
  /** How long the certificates of nodes live. */
  certificateLifetimeMs: z.number().positive().default(LEAF_LIFETIME_MS),
  /** kedge's version on the server. */
  version: z.string(),
});
export type ClusterConfig = z.infer<typeof clusterConfigSchema>;

export const joinAnswerSchema = z.object({
  cluster: clusterConfigSchema,
  /** A bearer token with which the client certificate of the node is asked for. */
  pass: z.string(),
});
export type JoinAnswer = z.infer<typeof joinAnswerSchema>;
