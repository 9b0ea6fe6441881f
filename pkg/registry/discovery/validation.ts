import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { isDns1123Subdomain, isLabelValue } from '../../apimachinery/names.ts';
import { parseAddress } from '../../base/ip.ts';
import { fullyQualifiedDomain } from '../validation/domains.ts';
import { ordinaryIP } from '../validation/ip.ts';
import { dnsLabel, dnsSubdomain, each, type Findings, qualifiedName } from '../validation/rules.ts';

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const MAX_ENDPOINTS = 1000;
const MAX_ADDRESSES = 100;
const MAX_PORTS = 100;
const MAX_TOPOLOGY = 16;
const MAX_HINTS = 8;

/** Upstream's ValidateEndpointSlice. */
export function* validateEndpointSlice({ addressType, endpoints, ports }: EndpointSlice): Findings {
  const path = FieldPath.of('addressType');
  if (!addressType) yield fieldError.required(path);
  else if (!ADDRESS_TYPES.includes(addressType)) yield fieldError.notSupported(path, addressType, ADDRESS_TYPES);
  yield* validateEndpoints(endpoints ?? [], addressType, FieldPath.of('endpoints'));
  yield* validatePorts(ports ?? [], FieldPath.of('ports'));
}

function* validateEndpoints(endpoints: readonly Endpoint[], type: string, path: FieldPath): Findings {
  if (endpoints.length > MAX_ENDPOINTS) return yield fieldError.tooMany(path, endpoints.length, MAX_ENDPOINTS);
  for (const [index, { addresses, hostname, nodeName, deprecatedTopology, hints }] of endpoints.entries()) {
    const at = path.index(index);
    const list = addresses ?? [];
    if (list.length === 0) yield fieldError.required(at.child('addresses'), 'must contain at least 1 address');
    if (list.length > MAX_ADDRESSES) yield fieldError.tooMany(at.child('addresses'), list.length, MAX_ADDRESSES);
    for (const [position, address] of list.entries()) {
      yield* validateAddress(address, type, at.child('addresses').index(position));
    }
    if (nodeName !== undefined) yield* dnsSubdomain(at.child('nodeName'), nodeName);
    const topology = Object.keys(deprecatedTopology ?? {}).length;
    if (topology > MAX_TOPOLOGY) yield fieldError.tooMany(at.child('deprecatedTopology'), topology, MAX_TOPOLOGY);
    yield* validateLabels(deprecatedTopology, at.child('deprecatedTopology'));
    if (hostname !== undefined) yield* dnsLabel(at.child('hostname'), hostname);
    yield* validateHints(hints?.forZones ?? [], isLabelValue, at.child('hints', 'forZones'));
    yield* validateHints(hints?.forNodes ?? [], isDns1123Subdomain, at.child('hints', 'forNodes'));
  }
}

function* validateHints(
  hints: readonly { readonly name: string }[],
  check: (name: string) => string[],
  path: FieldPath,
): Findings {
  if (hints.length > MAX_HINTS) return yield fieldError.tooMany(path, hints.length, MAX_HINTS);
  const names = new Set<string>();
  for (const [index, { name }] of hints.entries()) {
    const at = path.index(index).child('name');
    if (names.has(name)) yield fieldError.duplicate(at, name);
    names.add(name);
    yield* each(at, name, check);
  }
}

function* validateAddress(address: string, type: string, path: FieldPath): Findings {
  if (type === 'FQDN') yield* fullyQualifiedDomain(path, address);
  if (type !== 'IPv4' && type !== 'IPv6') return;
  const family = parseAddress(address)?.family;
  if (`IPv${family}` !== type) yield fieldError.invalid(path, address, `must be a valid ${type} address`);
  yield* ordinaryIP(path, address);
}

function* validatePorts(ports: readonly EndpointPort[], path: FieldPath): Findings {
  if (ports.length > MAX_PORTS) return yield fieldError.tooMany(path, ports.length, MAX_PORTS);
  const names = new Set<string>();
  for (const [index, { name = '', protocol, appProtocol }] of ports.entries()) {
    const at = path.index(index);
    if (name !== '') yield* dnsLabel(at.child('name'), name);
    if (names.has(name)) yield fieldError.duplicate(at.child('name'), name);
    names.add(name);
    if (protocol === undefined) yield fieldError.required(at.child('protocol'));
    else if (!PROTOCOLS.includes(protocol)) yield fieldError.notSupported(at.child('protocol'), protocol, PROTOCOLS);
    if (appProtocol !== undefined) yield* qualifiedName(at.child('appProtocol'), appProtocol);
  }
}
