import type { PriorityLevelConfiguration } from '../../api/generated/flowcontrol-v1.ts';
import { priorityLevelConfigurations } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { type Column, describe } from '../descriptor.ts';
import { type Findings, inRange } from '../validation/rules.ts';
import { validateStatus } from './flow-schema-validation.ts';

const SPEC = FieldPath.of('spec');
const QUEUING = 'flowcontrol.v1.QueuingConfiguration';
const MAX_QUEUES = 10_000_000;
/** A hash has so many bits to deal hands with. */
const MAX_HASH_BITS = 60;

/** Upstream's ValidatePriorityLevelConfiguration. */
function* validate({ metadata, spec, status }: PriorityLevelConfiguration): Findings {
  const { type, limited, exempt } = spec;
  if ((metadata.name === 'exempt') !== (type === 'Exempt')) {
    yield fieldError.invalid(SPEC.child('type'), type, "type must be 'Exempt' if and only if name is 'exempt'");
  }
  if (type === 'Exempt') {
    if (limited !== undefined)
      yield fieldError.forbidden(SPEC.child('limited'), 'must be nil if the type is not Limited');
    yield* shares(exempt?.nominalConcurrencyShares, SPEC.child('exempt', 'nominalConcurrencyShares'));
    yield* percent(exempt?.lendablePercent, SPEC.child('exempt', 'lendablePercent'));
  } else if (type === 'Limited') {
    if (exempt !== undefined) yield fieldError.forbidden(SPEC.child('exempt'), 'must be nil if the type is Limited');
    if (limited === undefined)
      yield fieldError.required(SPEC.child('limited'), 'must not be empty when type is Limited');
    else yield* validateLimited(limited, SPEC.child('limited'));
  } else yield fieldError.notSupported(SPEC.child('type'), type ?? '', ['Exempt', 'Limited']);
  yield* validateStatus({ status });
}

type Limited = NonNullable<PriorityLevelConfiguration['spec']['limited']>;

function* validateLimited(
  { limitResponse, lendablePercent, borrowingLimitPercent, nominalConcurrencyShares }: Limited,
  path: FieldPath,
): Findings {
  yield* shares(nominalConcurrencyShares, path.child('nominalConcurrencyShares'));
  const at = path.child('limitResponse');
  const { type, queuing } = limitResponse;
  if (type === 'Reject') {
    const text = 'must be nil if limited.limitResponse.type is not Limited';
    if (queuing !== undefined) yield fieldError.forbidden(at.child('queuing'), text);
  } else if (type === 'Queue') {
    if (queuing === undefined) {
      yield fieldError.required(at.child('queuing'), 'must not be empty if limited.limitResponse.type is Limited');
    } else yield* validateQueuing(queuing, at.child('queuing'));
  } else yield fieldError.notSupported(at.child('type'), type ?? '', ['Queue', 'Reject']);
  yield* percent(lendablePercent, path.child('lendablePercent'));
  if ((borrowingLimitPercent ?? 0) < 0) {
    yield fieldError.invalid(
      path.child('borrowingLimitPercent'),
      borrowingLimitPercent,
      'if specified, must be a non-negative integer',
    );
  }
}

function* shares(value: number | null | undefined, path: FieldPath): Findings {
  if ((value ?? 0) < 0) yield fieldError.invalid(path, value, 'must be a non-negative integer');
}

function* percent(value: number | undefined, path: FieldPath): Findings {
  if (value !== undefined) yield* inRange(path, value, 0, 100);
}

type Queuing = NonNullable<Limited['limitResponse']['queuing']>;

function* validateQueuing({ queues, handSize, queueLengthLimit }: Queuing, path: FieldPath): Findings {
  if (queueLengthLimit <= 0)
    yield fieldError.invalid(path.child('queueLengthLimit'), queueLengthLimit, 'must be positive');
  if (queues <= 0) yield fieldError.invalid(path.child('queues'), queues, 'must be positive');
  else if (queues > MAX_QUEUES) {
    yield fieldError.invalid(path.child('queues'), queues, `must not be greater than ${MAX_QUEUES}`);
  }
  if (handSize <= 0) yield fieldError.invalid(path.child('handSize'), handSize, 'must be positive');
  else if (handSize > queues) {
    yield fieldError.invalid(path.child('handSize'), handSize, `should not be greater than queues (${queues})`);
  } else if (Math.ceil(Math.log2(queues) * handSize) > MAX_HASH_BITS) {
    const text = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${MAX_HASH_BITS}`;
    yield fieldError.invalid(path.child('handSize'), handSize, text);
  }
}

const queuingColumn = (name: string, field: keyof Queuing): Column<PriorityLevelConfiguration> => ({
  name,
  type: 'string',
  doc: [QUEUING, field],
  cell: ({ spec }) => spec.limited?.limitResponse.queuing?.[field] ?? '<none>',
});

export const priorityLevelConfiguration = describe<PriorityLevelConfiguration>(priorityLevelConfigurations, {
  statusKeepsMetadata: 'all',
  defaults({ spec }) {
    if (spec.exempt !== undefined) {
      spec.exempt.nominalConcurrencyShares ??= 0;
      spec.exempt.lendablePercent ??= 0;
    }
    if (spec.limited === undefined) return;
    spec.limited.nominalConcurrencyShares ??= 30;
    spec.limited.lendablePercent ??= 0;
    const { queuing } = spec.limited.limitResponse ?? {};
    if (queuing === undefined) return;
    queuing.handSize ||= 8;
    queuing.queues ||= 64;
    queuing.queueLengthLimit ||= 50;
  },
  validate,
  updateSteps: ['object'],
  validateStatus,
  columns: [
    nameColumn,
    {
      name: 'Type',
      type: 'string',
      doc: ['flowcontrol.v1.PriorityLevelConfigurationSpec', 'type'],
      cell: ({ spec }) => spec.type,
    },
    {
      name: 'NominalConcurrencyShares',
      type: 'string',
      doc: ['flowcontrol.v1.LimitedPriorityLevelConfiguration', 'nominalConcurrencyShares'],
      cell: ({ spec }) => spec.limited?.nominalConcurrencyShares ?? spec.exempt?.nominalConcurrencyShares ?? '<none>',
    },
    queuingColumn('Queues', 'queues'),
    queuingColumn('HandSize', 'handSize'),
    queuingColumn('QueueLengthLimit', 'queueLengthLimit'),
    ageColumn,
  ],
});
