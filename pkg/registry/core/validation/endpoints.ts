import type { EndpointAddress, EndpointPort, Endpoints } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { isQualifiedName } from '../../../apimachinery/names.ts';
import { endpointIP } from '../../validation/ip.ts';
import { dnsLabel, dnsSubdomain, each, type Findings, ipAddress, oneOf, portNumber } from '../../validation/rules.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

/** Upstream's ValidateEndpoints. */
export function* validateEndpoints({ subsets }: Endpoints): Findings {
  for (const [index, { addresses, notReadyAddresses, ports }] of (subsets ?? []).entries()) {
    const path = FieldPath.of('subsets').index(index);
    if ((addresses ?? []).length === 0 && (notReadyAddresses ?? []).length === 0) {
      yield fieldError.required(path, 'must specify `addresses` or `notReadyAddresses`');
    }
    for (const [field, list] of Object.entries({ addresses, notReadyAddresses })) {
      for (const [position, address] of (list ?? []).entries()) {
        yield* validateAddress(address, path.child(field).index(position));
      }
    }
    for (const [position, port] of (ports ?? []).entries()) {
      yield* validatePort(port, (ports ?? []).length > 1, path.child('ports').index(position));
    }
  }
}

function* validateAddress({ ip, hostname, nodeName }: EndpointAddress, path: FieldPath): Findings {
  yield* ipAddress(path.child('ip'), ip);
  if (hostname) yield* dnsLabel(path.child('hostname'), hostname);
  if (nodeName !== undefined) yield* dnsSubdomain(path.child('nodeName'), nodeName);
  yield* endpointIP(path.child('ip'), ip);
}

function* validatePort(port: EndpointPort, requireName: boolean, path: FieldPath): Findings {
  if (requireName && !port.name) yield fieldError.required(path.child('name'));
  else if (port.name) yield* dnsLabel(path.child('name'), port.name);
  yield* portNumber(path.child('port'), port.port);
  yield* oneOf(path.child('protocol'), port.protocol, PROTOCOLS);
  if (port.appProtocol !== undefined) yield* each(path.child('appProtocol'), port.appProtocol, isQualifiedName);
}
