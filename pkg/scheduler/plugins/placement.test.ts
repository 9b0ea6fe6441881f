import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod, PodAffinityTerm, PodSpec, TopologySpreadConstraint } from '../../api/generated/core-v1.ts';
import type { Input } from '../../api/types.ts';
import { everyLabel, labelMapMatcher } from '../../apimachinery/labels.ts';
import type { Plugin } from '../framework.ts';
import { NodeInfo } from '../node-info.ts';
import { filterNodes, rankNodes } from '../schedule-pod.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { podTopologySpread } from './pod-topology-spread.ts';

const NAMESPACES: Record<string, Record<string, string>> = { n: { team: 'a' }, other: { team: 'b' } };
let serial = 0;

interface PodSample {
  labels?: Record<string, string>;
  namespace?: string;
  spec?: Input<PodSpec>;
  going?: boolean;
}

function pod({ labels = {}, namespace = 'n', spec = {}, going = false }: PodSample = {}): Pod {
  const name = `p${serial++}`;
  const deletion = going ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {};
  return {
    metadata: { name, uid: name, namespace, labels, ...deletion },
    spec: { containers: [], ...spec },
    status: {},
  } as never;
}

/** `zone/name` becomes a node of the zone; without a zone it has only its hostname. */
function node(where: string, ...pods: Pod[]): NodeInfo {
  const [name = '', zone] = where.split('/').reverse();
  const info = new NodeInfo(name);
  const labels = { 'kubernetes.io/hostname': name, ...(zone && { zone }) };
  info.node = { metadata: { name, labels }, spec: {}, status: {} } as unknown as Node;
  for (const each of pods) info.addPod(each);
  return info;
}

const affinity = interPodAffinity((name) => NAMESPACES[name] ?? {});
const spread = podTopologySpread(() => everyLabel);

/** What the plugin says of each node: empty where it agrees. */
function verdicts(plugin: Plugin, subject: Pod, ...nodes: NodeInfo[]): Record<string, string> {
  const { diagnosis } = filterNodes(subject, { nodes }, [{ plugin, weight: 1 }]);
  return Object.fromEntries(nodes.map(({ name }) => [name, diagnosis.nodes.get(name)?.reasons.join() ?? '']));
}

function scores(plugin: Plugin, subject: Pod, ...nodes: NodeInfo[]): Record<string, number> {
  const ranked = rankNodes(subject, { nodes }, nodes, [{ plugin, weight: 1 }]);
  return Object.fromEntries(ranked.map(({ node: { name }, score }) => [name, score]));
}

const term = (
  app: string,
  topologyKey = 'zone',
  more: Partial<Input<PodAffinityTerm>> = {},
): Input<PodAffinityTerm> => ({
  topologyKey,
  labelSelector: { matchLabels: { app } },
  ...more,
});
const required = (kind: 'podAffinity' | 'podAntiAffinity', ...terms: Input<PodAffinityTerm>[]): Input<PodSpec> => ({
  affinity: { [kind]: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const preferred = (
  kind: 'podAffinity' | 'podAntiAffinity',
  weight: number,
  podAffinityTerm: Input<PodAffinityTerm>,
): Input<PodSpec> => ({
  affinity: { [kind]: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight, podAffinityTerm }] } },
});

const db = (namespace = 'n', spec: Input<PodSpec> = {}) => pod({ labels: { app: 'db' }, namespace, spec });
const AFFINITY = "node(s) didn't match pod affinity rules";
const ANTI = "node(s) didn't match pod anti-affinity rules";
const EXISTING = "node(s) didn't satisfy existing pods anti-affinity rules";

test('required affinity: the places of matching Pods', () => {
  const near = pod({ spec: required('podAffinity', term('db')) });
  const nodes = [node('a/n1', db()), node('a/n2'), node('b/n3', db('other')), node('n4', db())];
  assert.deepEqual(verdicts(affinity, near, ...nodes), { n1: '', n2: '', n3: AFFINITY, n4: AFFINITY });
  const both = pod({ spec: required('podAffinity', term('db'), term('web', 'kubernetes.io/hostname')) });
  assert.deepEqual(
    verdicts(affinity, both, ...nodes),
    { n1: AFFINITY, n2: AFFINITY, n3: AFFINITY, n4: AFFINITY },
    'a Pod has to match all terms to count',
  );
});

test('the first of a group that wants to be together goes anywhere it has a place', () => {
  const first = pod({ labels: { app: 'db' }, spec: required('podAffinity', term('db')) });
  assert.deepEqual(verdicts(affinity, first, node('a/n1'), node('n2')), { n1: '', n2: AFFINITY });
  assert.deepEqual(verdicts(affinity, first, node('a/n1'), node('b/n2', db())), { n1: AFFINITY, n2: '' });
});

test('namespaces: listed, selected, all', () => {
  const nodes = [node('a/n1', db('other')), node('b/n2', db('n'))];
  const cases: [Partial<Input<PodAffinityTerm>>, string, string][] = [
    [{ namespaces: ['other'] }, '', AFFINITY],
    [{ namespaceSelector: { matchLabels: { team: 'b' } } }, '', AFFINITY],
    [{ namespaceSelector: {} }, '', ''],
    [{ namespaces: ['n'], namespaceSelector: { matchLabels: { team: 'b' } } }, '', ''],
    [{ namespaceSelector: { matchLabels: { team: 'c' } } }, AFFINITY, AFFINITY],
  ];
  for (const [more, n1, n2] of cases) {
    const near = pod({ spec: required('podAffinity', term('db', 'zone', more)) });
    assert.deepEqual(verdicts(affinity, near, ...nodes), { n1, n2 }, JSON.stringify(more));
  }
});

test('required anti-affinity: of the Pod, and of those that are there', () => {
  const apart = pod({ labels: { app: 'web' }, spec: required('podAntiAffinity', term('db')) });
  const loner = db('n', required('podAntiAffinity', term('web', 'kubernetes.io/hostname')));
  const nodes = [node('a/n1', db()), node('a/n2'), node('b/n3'), node('n4', db())];
  assert.deepEqual(verdicts(affinity, apart, ...nodes), { n1: ANTI, n2: ANTI, n3: '', n4: '' });
  const web = pod({ labels: { app: 'web' } });
  assert.deepEqual(verdicts(affinity, web, node('a/n1', loner), node('a/n2')), { n1: EXISTING, n2: '' });
  assert.deepEqual(verdicts(affinity, pod(), node('a/n1', loner)), { n1: '' });
});

test('a trial changes what counts, and leaves nothing behind', () => {
  const apart = pod({ spec: required('podAntiAffinity', term('db')) });
  const there = db();
  const info = node('a/n1', there);
  const { filters } = filterNodes(apart, { nodes: [info] }, [{ plugin: affinity, weight: 1 }]);
  const without = filters?.trial(info, (trial) => {
    trial.remove(there);
    return trial.check();
  });
  assert.equal(without, undefined);
  assert.equal(filters?.check(info)?.refusal.reasons[0], ANTI);
});

test('preferences are summed by place: own ones and those of others', () => {
  const nodes = [node('a/n1', db()), node('b/n2'), node('b/n3', db(), db())];
  assert.deepEqual(scores(affinity, pod({ spec: preferred('podAffinity', 5, term('db')) }), ...nodes), {
    n1: 0,
    n2: 100,
    n3: 100,
  });
  assert.deepEqual(scores(affinity, pod({ spec: preferred('podAntiAffinity', 5, term('db')) }), ...nodes), {
    n1: 100,
    n2: 0,
    n3: 0,
  });
  const web = pod({ labels: { app: 'web' } });
  const wanting = db('n', required('podAffinity', term('web')));
  const shunning = db('n', preferred('podAntiAffinity', 3, term('web')));
  assert.deepEqual(scores(affinity, web, node('a/n1', wanting), node('b/n2'), node('c/n3', shunning)), {
    n1: 100,
    n2: 75,
    n3: 0,
  });
});

const constraint = (
  topologyKey: string,
  maxSkew: number,
  more: Partial<Input<TopologySpreadConstraint>> = {},
): Input<TopologySpreadConstraint> => ({
  topologyKey,
  maxSkew,
  whenUnsatisfiable: 'DoNotSchedule',
  labelSelector: { matchLabels: { app: 'db' } },
  ...more,
});
const spreading = (...topologySpreadConstraints: Input<TopologySpreadConstraint>[]): Pod =>
  pod({ labels: { app: 'db' }, spec: { topologySpreadConstraints } });
const SKEWED = "node(s) didn't match pod topology spread constraints";
const UNLABELLED = `${SKEWED} (missing required label)`;

test('spread: no place may have more than the emptiest and the skew', () => {
  const nodes = [node('a/n1', db(), db()), node('b/n2', db()), node('b/n3'), node('n4')];
  assert.deepEqual(verdicts(spread, spreading(constraint('zone', 1)), ...nodes), {
    n1: SKEWED,
    n2: '',
    n3: '',
    n4: UNLABELLED,
  });
  assert.deepEqual(verdicts(spread, spreading(constraint('zone', 2)), ...nodes.slice(0, 3)), {
    n1: '',
    n2: '',
    n3: '',
  });
  const both = spreading(constraint('zone', 1), constraint('kubernetes.io/hostname', 1));
  assert.deepEqual(verdicts(spread, both, ...nodes.slice(0, 3)), { n1: SKEWED, n2: SKEWED, n3: '' });
});

test('spread: who counts', () => {
  const nodes = [node('a/n1', db('other'), pod(), pod({ labels: { app: 'db' }, going: true })), node('b/n2')];
  assert.deepEqual(verdicts(spread, spreading(constraint('zone', 1)), ...nodes), { n1: '', n2: '' });
  const outsider = pod({ spec: { topologySpreadConstraints: [constraint('zone', 1)] } });
  const uneven = [node('a/n1', db()), node('b/n2')];
  assert.deepEqual(verdicts(spread, outsider, ...uneven), { n1: '', n2: '' }, 'it does not count itself');
});

test('spread: minDomains takes places that are not there yet for empty', () => {
  const nodes = [node('a/n1', db()), node('b/n2', db())];
  assert.deepEqual(verdicts(spread, spreading(constraint('zone', 1)), ...nodes), { n1: '', n2: '' });
  assert.deepEqual(verdicts(spread, spreading(constraint('zone', 1, { minDomains: 3 })), ...nodes), {
    n1: SKEWED,
    n2: SKEWED,
  });
});

test('spread: nodes that the Pod cannot go to count by policy', () => {
  const tainted = node('b/n2');
  tainted.node = { ...tainted.node, spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } } as Node;
  const nodes = [node('a/n1', db()), tainted];
  assert.equal(verdicts(spread, spreading(constraint('zone', 1)), ...nodes)['n1'], SKEWED);
  assert.equal(verdicts(spread, spreading(constraint('zone', 1, { nodeTaintsPolicy: 'Honor' })), ...nodes)['n1'], '');
  const picky = (nodeAffinityPolicy: string): Pod => ({
    ...spreading(constraint('zone', 1, { nodeAffinityPolicy })),
    spec: { ...spreading(constraint('zone', 1, { nodeAffinityPolicy })).spec, nodeSelector: { zone: 'a' } },
  });
  assert.equal(verdicts(spread, picky('Honor'), ...nodes)['n1'], '');
  assert.equal(verdicts(spread, picky('Ignore'), ...nodes)['n1'], SKEWED);
});

test('spread: matchLabelKeys narrow it to Pods of the same revision', () => {
  const labels = { app: 'db', rev: '2' };
  const rolling: Pod = {
    ...spreading(constraint('zone', 1, { matchLabelKeys: ['rev'] })),
    metadata: { name: 'r', uid: 'r', namespace: 'n', labels } as never,
  };
  const old = pod({ labels: { app: 'db', rev: '1' } });
  assert.deepEqual(verdicts(spread, rolling, node('a/n1', old, old), node('b/n2')), { n1: '', n2: '' });
});

test('spread as a wish: the emptier the place the better', () => {
  const anyway = spreading(constraint('zone', 1, { whenUnsatisfiable: 'ScheduleAnyway' }));
  const nodes = [node('a/n1', db(), db()), node('b/n2', db()), node('c/n3'), node('n4')];
  assert.deepEqual(scores(spread, anyway, ...nodes), { n3: 100, n2: 33, n1: 0, n4: 0 });
  assert.deepEqual(verdicts(spread, anyway, ...nodes), { n1: '', n2: '', n3: '', n4: '' });
});

test('Pods of one controller are spread without asking', () => {
  const byDefault = podTopologySpread(() => labelMapMatcher({ app: 'db' }));
  const nodes = [node('n1', db(), db()), node('n2', db()), node('n3')];
  assert.deepEqual(scores(byDefault, db(), ...nodes), { n3: 100, n2: 60, n1: 40 });
  assert.deepEqual(scores(spread, db(), ...nodes), { n1: 0, n2: 0, n3: 0 });
});
