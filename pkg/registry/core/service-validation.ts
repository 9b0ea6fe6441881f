import type { Service } from '../../api/generated/core-v1.ts';
import { type FieldError, fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { isDns1123Label, isPortNumber } from '../../apimachinery/names.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

/** Upstream's ValidateService, the rules about type, ports and selector. */
export function validateService({ spec }: Service): FieldError[] {
  const path = FieldPath.of('spec');
  const errors: FieldError[] = [];
  if (!TYPES.includes(spec.type ?? '')) errors.push(fieldError.notSupported(path.child('type'), spec.type, TYPES));
  const ports = spec.ports ?? [];
  const headless = spec.clusterIP === 'None';
  if (ports.length === 0 && !headless && spec.type !== 'ExternalName') {
    errors.push(fieldError.required(path.child('ports')));
  }
  if (spec.type === 'ExternalName' && !spec.externalName) errors.push(fieldError.required(path.child('externalName')));
  const names = new Set<string>();
  const numbers = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = path.child('ports').index(index);
    if (!port.name) {
      if (ports.length > 1) errors.push(fieldError.required(at.child('name')));
    } else {
      for (const text of isDns1123Label(port.name)) errors.push(fieldError.invalid(at.child('name'), port.name, text));
      if (names.has(port.name)) errors.push(fieldError.duplicate(at.child('name'), port.name));
      names.add(port.name);
    }
    for (const text of isPortNumber(port.port)) errors.push(fieldError.invalid(at.child('port'), port.port, text));
    if (!PROTOCOLS.includes(port.protocol ?? '')) {
      errors.push(fieldError.notSupported(at.child('protocol'), port.protocol, PROTOCOLS));
    }
    const key = `${port.protocol}/${port.port}`;
    if (numbers.has(key)) {
      errors.push(fieldError.duplicate(at, { protocol: port.protocol ?? '', port: port.port }));
    }
    numbers.add(key);
  }
  errors.push(...validateLabels(spec.selector, path.child('selector')));
  return errors;
}

/** A cluster IP stays what it is while the Service has one. */
export function validateServiceUpdate({ spec }: Service, old: Service): FieldError[] {
  const had = old.spec.clusterIP;
  if (!had || old.spec.type === 'ExternalName' || spec.type === 'ExternalName' || spec.clusterIP === had) return [];
  return [fieldError.invalid('spec.clusterIPs[0]', spec.clusterIPs as never, 'primary clusterIP can not be unset')];
}
