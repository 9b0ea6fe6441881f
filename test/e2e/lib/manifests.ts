import { BUSYBOX_IMAGE } from '../../../packaging/images/busybox.ts';
import type { Manifest } from './namespace.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Serves a page that names its Pod, and answers every request at once. */
export const SERVE_HOSTNAME = 'mkdir -p /tmp/www && hostname >/tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www';

/** A container of the busybox image that runs a shell script. */
export function shell(name: string, script: string, fields: Fields = {}): Fields {
  return { name, image: BUSYBOX_IMAGE, command: ['sh', '-c', script], ...fields };
}

/** A Pod that is ended without delay; its containers are those in `spec`. */
export function pod(name: string, spec: Fields, metadata: Fields = {}): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: { terminationGracePeriodSeconds: 1, ...spec },
  };
}

/** A Deployment of busybox Pods with label `app: <name>`. */
export function deployment(name: string, replicas: number, script: string, container: Fields = {}): Manifest {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { terminationGracePeriodSeconds: 1, containers: [shell('main', script, container)] },
      },
    },
  };
}

/** A Service for Pods with label `app: <app>` that serve on port 8080. */
export function service(name: string, app: string, fields: Fields = {}): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app }, ports: [{ port: 80, targetPort: 8080 }], ...fields },
  };
}
