import type {
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '../../../api/generated/networking-v1.ts';
import { fieldError, goSlice } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import { containsAddress, parseCIDR } from '../../../base/ip.ts';
import { cidr, type Findings, portNumberOrName } from '../../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];
const TYPES = ['Ingress', 'Egress'];

/** Upstream's ValidateNetworkPolicySpec. */
export function* validateNetworkPolicy({ spec }: NetworkPolicy): Findings {
  yield* validateLabelSelector(spec.podSelector, SPEC.child('podSelector'));
  for (const [index, { ports, from }] of (spec.ingress ?? []).entries()) {
    const at = SPEC.child('ingress').index(index);
    yield* validatePorts(ports ?? [], at.child('ports'));
    for (const [position, peer] of (from ?? []).entries()) yield* validatePeer(peer, at.child('from').index(position));
  }
  for (const [index, { ports, to }] of (spec.egress ?? []).entries()) {
    const at = SPEC.child('egress').index(index);
    yield* validatePorts(ports ?? [], at.child('ports'));
    for (const [position, peer] of (to ?? []).entries()) yield* validatePeer(peer, at.child('to').index(position));
  }
  const types = spec.policyTypes ?? [];
  if (types.length > 2) {
    const value = goSlice('networking.PolicyType', types);
    return yield fieldError.invalid(SPEC.child('policyTypes'), value, 'may not specify more than two policyTypes');
  }
  for (const [index, type] of types.entries()) {
    if (!TYPES.includes(type)) yield fieldError.notSupported(SPEC.child('policyTypes').index(index), type, TYPES);
  }
}

function* validatePorts(ports: readonly NetworkPolicyPort[], path: FieldPath): Findings {
  for (const [index, { protocol, port, endPort }] of ports.entries()) {
    const at = path.index(index);
    if (protocol !== undefined && !PROTOCOLS.includes(protocol)) {
      yield fieldError.notSupported(at.child('protocol'), protocol, PROTOCOLS);
    }
    const end = at.child('endPort');
    if (endPort !== undefined && typeof port !== 'number') {
      const why = port === undefined ? 'not specified' : 'non-numeric';
      yield fieldError.invalid(end, endPort, `may not be specified when \`port\` is ${why}`);
    }
    if (port !== undefined) yield* portNumberOrName(at.child('port'), port);
    if (endPort === undefined || typeof port !== 'number') continue;
    if (endPort < port) yield fieldError.invalid(end, endPort, 'must be greater than or equal to `port`');
    yield* portNumberOrName(end, endPort);
  }
}

function* validatePeer({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, path: FieldPath): Findings {
  yield* validateLabelSelector(podSelector, path.child('podSelector'));
  yield* validateLabelSelector(namespaceSelector, path.child('namespaceSelector'));
  if (ipBlock !== undefined) yield* validateBlock(ipBlock, path.child('ipBlock'));
  const selects = podSelector !== undefined || namespaceSelector !== undefined;
  if (!selects && ipBlock === undefined) yield fieldError.required(path, 'must specify a peer');
  if (selects && ipBlock !== undefined) {
    yield fieldError.forbidden(path, 'may not specify both ipBlock and another peer');
  }
}

function* validateBlock({ cidr: range, except }: IPBlock, path: FieldPath): Findings {
  if (!range) return yield fieldError.required(path.child('cidr'));
  const whole = parseCIDR(range);
  yield* cidr(path.child('cidr'), range);
  if (whole === undefined) return;
  for (const [index, part] of (except ?? []).entries()) {
    const at = path.child('except').index(index);
    const inner = parseCIDR(part);
    if (inner === undefined) yield* cidr(at, part);
    else if (!containsAddress(whole, { family: inner.family, value: inner.base }) || inner.prefix <= whole.prefix) {
      yield fieldError.invalid(at, part, 'must be a strict subset of `cidr`');
    }
  }
}
