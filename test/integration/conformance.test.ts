import { after, before, describe, test } from 'node:test';
import { ApiServerProcess } from './api-server.ts';
import { Api } from './conformance/api.ts';
import type { Cases } from './conformance/cases.ts';
import { machinery } from './conformance/machinery.ts';
import { networkAuth } from './conformance/network-auth.ts';
import { nodes } from './conformance/nodes.ts';
import { storage } from './conformance/storage.ts';
import { workloads } from './conformance/workloads.ts';

const AREAS: Readonly<Record<string, Cases>> = { machinery, networkAuth, nodes, storage, workloads };

/** What upstream's conformance tests ask of the control plane alone, without a node that runs anything. */
describe('conformance of the control plane', () => {
  let server: ApiServerProcess;
  let api: Api;
  before(async () => {
    server = await ApiServerProcess.start({ controllers: true });
    api = new Api(server);
  });
  after(() => server?.stop());

  let count = 0;
  for (const [area, cases] of Object.entries(AREAS)) {
    describe(area, () => {
      for (const [name, run] of Object.entries(cases)) {
        count += 1;
        const namespace = `conformance-${count}`;
        test(name, async () => run(api, await api.namespace(namespace)));
      }
    });
  }
});
