import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fetchPage } from './lib/fetch-page.ts';
import { deployment, SERVE_HOSTNAME, service, shell } from './lib/manifests.ts';
import { Namespace } from './lib/namespace.ts';
import { until } from './lib/until.ts';
import { useKedge } from './lib/use-kedge.ts';

/** Keeps a processor busy while there is a file /tmp/busy, which is there at first. */
const BUSY =
  'touch /tmp/busy; while :; do if [ -e /tmp/busy ]; then i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.05; else sleep 0.5; fi; done';
const SLOW = { timeoutMs: 120_000 };

/** What Pods use, autoscalers that act on it, and load balancers: everything k3s packages for this. */
describe('metrics, autoscaling, load balancers', { concurrency: 3 }, () => {
  const kedge = useKedge();

  test('kubectl top, with both kubectls', async () => {
    const ns = await Namespace.create(kedge(), 'top');
    await ns.apply(deployment('web', 1, BUSY));
    await ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    const versions = kedge().hasSystemKubectl ? (['sid', 'system'] as const) : (['sid'] as const);
    for (const version of versions) {
      const top = (...args: readonly string[]): Promise<string> => kedge().kubectl(['top', ...args], { version });
      await until(
        'the Pod is known',
        async () => /web-\S+ +main +\d+m/.test(await top('pods', '-n', 'top', '--containers')),
        SLOW,
      );
      assert.match(await top('nodes'), /^\S+ +\d+m +\d+% +\d+Mi +\d+% *$/m);
      assert.match(await top('pods', '-n', 'top'), /^web-\S+ +[1-9]\d*m +\d+Mi *$/m);
    }
    assert.match(await kedge().kubectl(['get', 'apiservice', 'v1beta1.metrics.k8s.io']), / Local +True /);
    const selected = await ns.kubectl(
      'get',
      'podmetrics',
      '-l',
      'app=web',
      '-o',
      'jsonpath={.items[*].containers[0].name}',
    );
    assert.equal(selected, 'main');
    const node = await kedge().kubectl(['get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}']);
    const summary = JSON.parse(await kedge().kubectl(['get', '--raw', `/api/v1/nodes/${node}/proxy/stats/summary`]));
    assert.equal(summary.node.nodeName, node);
  });

  test('a busy Deployment is scaled up, and down again when it has calmed', async () => {
    const ns = await Namespace.create(kedge(), 'scaled');
    await ns.apply(deployment('busy', 1, BUSY, { resources: { requests: { cpu: '20m' } } }), {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'busy' },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'busy' },
        minReplicas: 1,
        maxReplicas: 2,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
        ],
        behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
      },
    });
    await ns.waitFor('deployment/busy', '.spec.replicas', '2', 120_000);
    await ns.waitFor('hpa/busy', '.status.conditions[?(@.type=="ScalingActive")].status', 'True');
    await ns.kubectl('rollout', 'status', 'deployment/busy', '--timeout=60s');
    const names = await ns.kubectl('get', 'pods', '-l', 'app=busy', '-o', 'jsonpath={.items[*].metadata.name}');
    for (const name of names.split(' ')) await ns.kubectl('exec', name, '--', 'rm', '/tmp/busy');
    await ns.waitFor('deployment/busy', '.spec.replicas', '1', 120_000);
    const events = await ns.kubectl(
      'get',
      'events',
      '-o',
      'jsonpath={.items[?(@.reason=="SuccessfulRescale")].message}',
    );
    assert.match(events, /New size: 2; reason: cpu resource utilization \(percentage of request\) above target/);
    assert.match(events, /New size: 1; reason: All metrics below target/);
  });

  test('a LoadBalancer Service has the address of the node and serves there', async () => {
    const ns = await Namespace.create(kedge(), 'balanced');
    const balancer = (name: string): ReturnType<typeof service> =>
      service(name, 'web', { type: 'LoadBalancer', ports: [{ port: 18_080, targetPort: 8080 }] });
    await ns.apply(deployment('web', 1, SERVE_HOSTNAME), balancer('web'));
    await ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    await ns.waitFor('service/web', '.status.loadBalancer.ingress[0].ip', /^\d/);
    const address = await ns.read('service/web', '.status.loadBalancer.ingress[0].ip');
    const internal = '.items[0].status.addresses[?(@.type=="InternalIP")].address';
    assert.equal(address, await kedge().kubectl(['get', 'nodes', '-o', `jsonpath={${internal}}`]));
    await until('the page', async () => (await fetchPage(`http://${address}:18080/`)).startsWith('web-'));
    await ns.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'client' },
      spec: { terminationGracePeriodSeconds: 0, containers: [shell('main', 'exec sleep 3600')] },
    });
    await ns.waitReady('client');
    assert.match(await ns.kubectl('exec', 'client', '--', 'wget', '-qO-', `http://${address}:18080/`), /^web-/);

    await ns.apply(balancer('late'));
    const told = '{.items[?(@.reason=="SyncLoadBalancerFailed")].message}';
    await until('the port is refused', async () =>
      /^port 18080\/TCP of node \S+ is taken by .* balanced\/web/.test(
        await ns.kubectl('get', 'events', '-o', `jsonpath=${told}`),
      ),
    );
    assert.equal(await ns.read('service/late', '.status.loadBalancer.ingress'), '');
    await ns.kubectl('delete', 'service', 'web');
    await ns.waitFor('service/late', '.status.loadBalancer.ingress[0].ip', address);
  });

  test('priorities, limits and quotas reach Pods', async () => {
    const ns = await Namespace.create(kedge(), 'limited');
    await ns.apply(
      {
        apiVersion: 'scheduling.k8s.io/v1',
        kind: 'PriorityClass',
        metadata: { name: 'urgent' },
        value: 1000,
      } as never,
      {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'defaults' },
        spec: {
          limits: [{ type: 'Container', defaultRequest: { cpu: '10m' }, default: { cpu: '100m' }, max: { cpu: '1' } }],
        },
      },
      { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'few' }, spec: { hard: { pods: '1' } } },
    );
    await ns.waitFor('resourcequota/few', '.status.hard.pods', '1');
    await ns.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'first' },
      spec: {
        priorityClassName: 'urgent',
        terminationGracePeriodSeconds: 0,
        containers: [shell('main', 'exec sleep 3600')],
      },
    });
    assert.equal(await ns.read('pod/first', '.spec.priority'), '1000');
    assert.equal(await ns.read('pod/first', '.spec.containers[0].resources.requests.cpu'), '10m');
    await ns.waitFor('resourcequota/few', '.status.used.pods', '1');
    await ns.assertRefused(
      /exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1/,
      'run',
      'more',
      '--image=x',
    );
    await ns.assertRefused(
      /maximum cpu usage per Container is 1, but limit is 2/,
      'run',
      'big',
      '--image=x',
      '--overrides={"spec":{"containers":[{"name":"big","image":"x","resources":{"limits":{"cpu":"2"}}}]}}',
    );
  });
});
