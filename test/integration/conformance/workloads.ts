import assert from 'node:assert/strict';
import type { JsonObject } from '../../../pkg/api/schema.ts';
import { type Api, at, each } from './api.ts';
import type { Cases } from './cases.ts';

const CONTAINERS = [{ name: 'c', image: 'registry.invalid/c' }];
const LABELS = { app: 'a' };
const template = (spec: JsonObject = {}): JsonObject => ({
  metadata: { labels: LABELS },
  spec: { containers: CONTAINERS, ...spec },
});
const workload = (more: JsonObject = {}): JsonObject => ({
  selector: { matchLabels: LABELS },
  template: template(),
  ...more,
});
const CONDITION = { type: 'StatusPatched', status: 'True', reason: 'E2E', message: 'Patched by an e2e test' };
const TIME = '2026-01-02T03:04:05Z';
const LATER = '2026-01-02T03:05:05Z';

/** A status with one more condition, as conformance tests add one to what controllers write. */
const withCondition = (object: JsonObject, type: string): JsonObject => ({
  ...object,
  status: {
    ...(object['status'] as JsonObject),
    conditions: [...((at(object, 'status', 'conditions') ?? []) as JsonObject[]), { ...CONDITION, type }],
  },
});

/** Status endpoints of a workload: updated, patched, read back, seen by a watch. */
async function statusEndpoints(api: Api, collection: string, spec: JsonObject, status: JsonObject): Promise<void> {
  const begun = await api.get(`${collection}?labelSelector=e2e=status`);
  const revision = String(at(begun, 'metadata', 'resourceVersion'));
  await api.post(collection, { metadata: { name: 'w', labels: { e2e: 'status' } }, spec });
  const path = `${collection}/w`;
  await api.untilHolds(path, (object) => at(object, 'status', 'observedGeneration') === 1);
  const updated = await api.update(path, (object) => withCondition(object, 'StatusUpdate'), '/status');
  assert.ok(each(at(updated, 'status', 'conditions'), 'type').includes('StatusUpdate'));
  const patch = { status: { ...status, conditions: [CONDITION] } };
  await api.patch('merge', `${path}/status`, patch, { holds: { status: { conditions: [CONDITION] } } });
  await api.get(`${path}/status`);
  const watched = `${collection}?labelSelector=e2e=status&resourceVersion=${revision}`;
  await api.events(watched, (events) =>
    events.some(
      ({ type, object }) =>
        type === 'MODIFIED' && each(at(object, 'status', 'conditions'), 'type').includes('StatusPatched'),
    ),
  );
  await api.delete(path);
}

/** sig-apps and sig-scheduling. */
export const workloads: Cases = {
  'Deployment: status endpoints': (api, ns) =>
    statusEndpoints(api, `/apis/apps/v1/namespaces/${ns}/deployments`, workload({ replicas: 1 }), {}),
  'ReplicaSet: status endpoints': (api, ns) =>
    statusEndpoints(api, `/apis/apps/v1/namespaces/${ns}/replicasets`, workload({ replicas: 1 }), {}),
  'StatefulSet: status endpoints': (api, ns) =>
    statusEndpoints(
      api,
      `/apis/apps/v1/namespaces/${ns}/statefulsets`,
      workload({ replicas: 1, serviceName: 's' }),
      {},
    ),
  'DaemonSet: status endpoints': (api, ns) =>
    statusEndpoints(api, `/apis/apps/v1/namespaces/${ns}/daemonsets`, workload(), {}),

  async 'ReplicaSet, ReplicationController, Deployment, StatefulSet: scale'(api, ns) {
    const apps = `/apis/apps/v1/namespaces/${ns}`;
    const kinds: [string, JsonObject][] = [
      [`${apps}/deployments`, workload({ replicas: 1 })],
      [`${apps}/replicasets`, workload({ replicas: 1 })],
      [`${apps}/statefulsets`, workload({ replicas: 1, serviceName: 's' })],
      [`/api/v1/namespaces/${ns}/replicationcontrollers`, { replicas: 1, selector: LABELS, template: template() }],
    ];
    for (const [collection, spec] of kinds) {
      await api.post(collection, { metadata: { name: 's' }, spec });
      const path = `${collection}/s/scale`;
      await api.get(path, { holds: { apiVersion: 'autoscaling/v1', kind: 'Scale', spec: { replicas: 1 } } });
      const put = await api.update(path, (scale) => ({ ...scale, spec: { replicas: 2 } }));
      assert.equal(at(put, 'spec', 'replicas'), 2);
      await api.patch('merge', path, { spec: { replicas: 4 } }, { holds: { spec: { replicas: 4 } } });
      const { spec: scaled } = await api.get(`${collection}/s`);
      assert.equal(at(scaled, 'replicas'), 4);
      await api.delete(`${collection}/s`);
    }
  },

  async 'ReplicaSet: replaced and patched'(api, ns) {
    const path = `/apis/apps/v1/namespaces/${ns}/replicasets/r`;
    await api.post(`/apis/apps/v1/namespaces/${ns}/replicasets`, {
      metadata: { name: 'r' },
      spec: workload({ replicas: 1 }),
    });
    await api.update(path, (object) => ({ ...object, spec: { ...(object['spec'] as JsonObject), replicas: 2 } }));
    const patch = {
      metadata: { labels: { 'test-rs': 'patched' } },
      spec: {
        replicas: 3,
        template: {
          spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image: 'registry.invalid/other' }] },
        },
      },
    };
    await api.patch('strategic', path, patch, { holds: patch });
  },

  async 'ControllerRevision: its life'(api, ns) {
    const apps = `/apis/apps/v1/namespaces/${ns}`;
    await api.post(`${apps}/daemonsets`, {
      metadata: { name: 'd', labels: { 'daemonset-name': 'd' } },
      spec: workload(),
    });
    await api.untilHolds(
      `${apps}/controllerrevisions?labelSelector=app=a`,
      ({ items }) => (items as unknown[]).length === 1,
    );
    const [first] = await api.items(`${apps}/controllerrevisions?labelSelector=app=a`);
    const name = String(at(first, 'metadata', 'name'));
    await api.patch('strategic', `${apps}/controllerrevisions/${name}`, {
      metadata: { labels: { [name]: 'patched' } },
    });
    const made = {
      metadata: { name: 'd-made', labels: { a: 'b' }, ownerReferences: at(first, 'metadata', 'ownerReferences') ?? [] },
      data: at(first, 'data') ?? {},
      revision: 2,
    };
    await api.post(`${apps}/controllerrevisions`, made);
    await api.update(`${apps}/controllerrevisions/d-made`, (object) => ({ ...object, revision: 3 }));
    // What a revision holds is never changed.
    await api.patch('merge', `${apps}/controllerrevisions/d-made`, { data: { a: 'b' } }, { status: 422 });
    await api.delete(`${apps}/controllerrevisions?labelSelector=a%3Db`);
    await api.untilGone(`${apps}/controllerrevisions/d-made`);
  },

  async 'Job: changes of the status'(api, ns) {
    const jobs = `/apis/batch/v1/namespaces/${ns}/jobs`;
    const spec = { parallelism: 2, completions: 4, backoffLimit: 6, template: template({ restartPolicy: 'Never' }) };
    await api.post(jobs, { metadata: { name: 'j' }, spec });
    const path = `${jobs}/j`;
    await api.untilHolds(path, ({ status }) => at(status, 'active') === 2);
    const condition = (time: string): JsonObject => ({
      type: 'CustomConditionType',
      status: 'True',
      lastTransitionTime: time,
    });
    const patch = { metadata: { annotations: { patchedstatus: 'true' } }, status: { conditions: [condition(TIME)] } };
    await api.patch('merge', `${path}/status`, patch, { holds: patch });
    const updated = await api.update(
      path,
      (object) => ({ ...object, status: { ...(object['status'] as JsonObject), conditions: [condition(LATER)] } }),
      '/status',
    );
    assert.equal(at(updated, 'status', 'conditions', 0, 'lastTransitionTime'), LATER);
    await api.get(`${path}/status`, { holds: { metadata: { uid: at(updated, 'metadata', 'uid') ?? '' } } });
  },

  async 'Job: its life, suspended'(api, ns) {
    const jobs = `/apis/batch/v1/namespaces/${ns}/jobs`;
    const spec = { suspend: true, parallelism: 2, completions: 4, template: template({ restartPolicy: 'Never' }) };
    await api.post(jobs, { metadata: { name: 'j', labels: { e2e: 'job' } }, spec });
    await api.patch(
      'strategic',
      `${jobs}/j`,
      { metadata: { labels: { j: 'patched' } } },
      { holds: { metadata: { labels: { j: 'patched' } } } },
    );
    await api.update(`${jobs}/j`, (object) => ({
      ...object,
      metadata: { ...(object['metadata'] as JsonObject), annotations: { updated: 'true' } },
      spec: { ...(object['spec'] as JsonObject), suspend: false },
    }));
    await api.untilHolds(
      `${jobs}/j`,
      ({ status }) => at(status, 'active') === 2 && at(status, 'startTime') !== undefined,
    );
    await api.delete(`${jobs}?labelSelector=e2e%3Djob&propagationPolicy=Background`);
    await api.untilGone(`${jobs}/j`);
    await api.untilHolds(`/api/v1/namespaces/${ns}/pods`, ({ items }) => (items as unknown[]).length === 0);
  },

  async 'CronJob: operations'(api, ns) {
    const cronJobs = `/apis/batch/v1/namespaces/${ns}/cronjobs`;
    const spec = {
      schedule: '* */1 * * ?',
      concurrencyPolicy: 'Allow',
      suspend: true,
      jobTemplate: { spec: { template: template({ restartPolicy: 'OnFailure' }) } },
    };
    await api.post(cronJobs, { metadata: { name: 'c', labels: { e2e: 'cron' } }, spec });
    const path = `${cronJobs}/c`;
    const patch = { metadata: { annotations: { patchedstatus: 'true' } }, status: { lastScheduleTime: TIME } };
    await api.patch('merge', `${path}/status`, patch, { holds: patch });
    const updated = await api.update(path, (object) => ({ ...object, status: { lastScheduleTime: LATER } }), '/status');
    assert.equal(at(updated, 'status', 'lastScheduleTime'), LATER);
    await api.get(`${path}/status`, { holds: { status: { lastScheduleTime: LATER } } });
    await api.delete(`${cronJobs}?labelSelector=e2e%3Dcron`);
    await api.untilGone(path);
  },

  async 'DisruptionController: a status, updated and patched'(api, ns) {
    const budgets = `/apis/policy/v1/namespaces/${ns}/poddisruptionbudgets`;
    await api.post(budgets, { metadata: { name: 'b' }, spec: { minAvailable: 1, selector: { matchLabels: LABELS } } });
    const path = `${budgets}/b`;
    await api.untilHolds(path, ({ status }) => at(status, 'observedGeneration') === 1);
    const disruptedPods = { 'pod-1': TIME };
    const updated = await api.update(
      path,
      (object) => ({ ...object, status: { ...(object['status'] as JsonObject), disruptedPods } }),
      '/status',
    );
    assert.deepEqual(at(updated, 'status', 'disruptedPods'), disruptedPods);
    const patched = await api.patch('merge', `${path}/status`, { status: { disruptedPods: null } });
    assert.equal(at(patched, 'status', 'disruptedPods'), undefined);
    await api.patch('merge', path, { spec: { minAvailable: 2 } }, { holds: { spec: { minAvailable: 2 } } });
    await api.update(path, (object) => ({
      ...object,
      spec: { ...(object['spec'] as JsonObject), minAvailable: '30%' },
    }));
    await api.delete(`${budgets}`);
    assert.equal((await api.items('/apis/policy/v1/poddisruptionbudgets')).length, 0);
  },

  async 'DisruptionController: an eviction waits for its budget'(api, ns) {
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const budgets = `/apis/policy/v1/namespaces/${ns}/poddisruptionbudgets`;
    await api.post(budgets, { metadata: { name: 'b' }, spec: { minAvailable: 1, selector: { matchLabels: LABELS } } });
    await api.post(pods, {
      metadata: { name: 'p', labels: LABELS },
      spec: { containers: CONTAINERS, nodeName: 'none' },
    });
    const running = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
    await api.patch('strategic', `${pods}/p/status`, { status: running });
    await api.untilHolds(`${budgets}/b`, ({ status }) => at(status, 'currentHealthy') === 1);
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p', namespace: ns } };
    const refused = await api.post(`${pods}/p/eviction`, eviction, { status: 429 });
    assert.equal(at(refused, 'details', 'causes', 0, 'reason'), 'DisruptionBudget');
    await api.patch('merge', `${budgets}/b`, { spec: { minAvailable: 0 } });
    await api.untilHolds(`${budgets}/b`, ({ status }) => at(status, 'disruptionsAllowed') === 1);
    await api.post(`${pods}/p/eviction`, eviction);
    const evicted = await api.get(`${pods}/p`);
    assert.ok(at(evicted, 'metadata', 'deletionTimestamp'));
    assert.ok(each(at(evicted, 'status', 'conditions'), 'type').includes('DisruptionTarget'));
  },

  async 'LimitRange: listed, patched, deleted as a collection'(api, ns) {
    const ranges = `/api/v1/namespaces/${ns}/limitranges`;
    const limits = (cpu: string): JsonObject => ({
      limits: [{ type: 'Container', min: { cpu: '50m' }, default: { cpu }, defaultRequest: { cpu: '100m' } }],
    });
    await api.post(ranges, { metadata: { name: 'l', labels: { l: 'one' } }, spec: limits('500m') });
    assert.equal((await api.items('/api/v1/limitranges?labelSelector=l%3Done')).length, 1);
    const patch = { metadata: { labels: { l: 'patched' } }, spec: limits('600m') };
    await api.patch('strategic', `${ranges}/l`, patch, { holds: { metadata: { labels: { l: 'patched' } } } });
    const pods = `/api/v1/namespaces/${ns}/pods`;
    await api.post(
      pods,
      { metadata: { name: 'p' }, spec: { containers: CONTAINERS } },
      { holds: { spec: { containers: [{ resources: { limits: { cpu: '600m' }, requests: { cpu: '100m' } } }] } } },
    );
    await api.delete(`${ranges}?labelSelector=l%3Dpatched`);
    assert.equal((await api.items(ranges)).length, 0);
  },

  async 'PriorityClass: what can be changed of it'(api) {
    const classes = '/apis/scheduling.k8s.io/v1/priorityclasses';
    await api.post(classes, { metadata: { name: 'e2e-p1' }, value: 10 });
    await api.update(`${classes}/e2e-p1`, (object) => ({ ...object, description: 'updated' }));
    await api.patch('json', `${classes}/e2e-p1`, [
      { op: 'add', path: '/metadata/annotations', value: { patched: 'true' } },
    ]);
    const refused = await api.patch('merge', `${classes}/e2e-p1`, { value: 11 }, { status: 422 });
    assert.equal(at(refused, 'details', 'causes', 0, 'field'), 'value');
    await api.delete(`${classes}/e2e-p1`);
  },
};
