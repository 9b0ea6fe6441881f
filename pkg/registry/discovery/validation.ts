import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isLabelValue, isQualifiedName } from '../../apimachinery/names.ts';
import { parseAddress } from '../../base/ip.ts';
import { ordinaryIP } from '../validation/ip.ts';
import { dnsLabel, dnsSubdomain, each, type Findings, portNumber } from '../validation/rules.ts';

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const MAX_ENDPOINTS = 1000;
const MAX_ADDRESSES = 100;
const MAX_PORTS = 100;

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
  for (const [index, { addresses, hostname, nodeName, deprecatedTopology }] of endpoints.entries()) {
    const at = path.index(index);
    const list = addresses ?? [];
    if (list.length === 0) yield fieldError.required(at.child('addresses'), 'must contain at least 1 address');
    if (list.length > MAX_ADDRESSES) yield fieldError.tooMany(at.child('addresses'), list.length, MAX_ADDRESSES);
    for (const [position, address] of list.entries()) {
      yield* validateAddress(address, type, at.child('addresses').index(position));
    }
    if (nodeName !== undefined) yield* dnsSubdomain(at.child('nodeName'), nodeName);
    for (const [key, value] of Object.entries(deprecatedTopology ?? {})) {
      yield* each(at.child('deprecatedTopology').key(key), key, isQualifiedName);
      yield* each(at.child('deprecatedTopology').key(key), value, isLabelValue);
    }
    if (hostname !== undefined) yield* dnsLabel(at.child('hostname'), hostname);
  }
}

function* validateAddress(address: string, type: string, path: FieldPath): Findings {
  if (type === 'FQDN') yield* dnsSubdomain(path, address);
  if (type !== 'IPv4' && type !== 'IPv6') return;
  const family = parseAddress(address)?.family;
  if (family === undefined) yield* ordinaryIP(path, address);
  else if (`IPv${family}` !== type) yield fieldError.invalid(path, address, `must be a valid ${type} address`);
  else yield* ordinaryIP(path, address);
}

function* validatePorts(ports: readonly EndpointPort[], path: FieldPath): Findings {
  if (ports.length > MAX_PORTS) return yield fieldError.tooMany(path, ports.length, MAX_PORTS);
  const names = new Set<string>();
  for (const [index, { name = '', port, protocol, appProtocol }] of ports.entries()) {
    const at = path.index(index);
    if (name !== '') yield* dnsLabel(at.child('name'), name);
    if (names.has(name)) yield fieldError.duplicate(at.child('name'), name);
    names.add(name);
    if (protocol === undefined) yield fieldError.required(at.child('protocol'));
    else if (!PROTOCOLS.includes(protocol)) yield fieldError.notSupported(at.child('protocol'), protocol, PROTOCOLS);
    if (port !== undefined) yield* portNumber(at.child('port'), port);
    if (appProtocol !== undefined) yield* each(at.child('appProtocol'), appProtocol, isQualifiedName);
  }
}
