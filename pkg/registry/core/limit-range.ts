import type { LimitRange, LimitRangeItem } from '../../api/generated/core-v1.ts';
import { limitRanges } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';
import { roundAmounts } from './resource-list.ts';
import { validateLimitRange } from './validation/limit-range.ts';

export const limitRange = describe<LimitRange>(limitRanges, {
  shortNames: ['limits'],
  allowCreateOnUpdate: true,
  defaults: ({ spec }) => {
    for (const item of spec.limits ?? []) {
      roundAmounts(item.min, item.max, item.default, item.defaultRequest, item.maxLimitRequestRatio);
      if (item.type === 'Container') defaultItem(item);
    }
  },
  validate: validateLimitRange,
  updateSteps: ['object'],
});

/** What is not said of a container follows from what is: the default from the maximum, the request from both. */
function defaultItem(item: LimitRangeItem): void {
  const limit = { ...item.max, ...item.default };
  item.default = limit;
  item.defaultRequest = { ...item.min, ...limit, ...item.defaultRequest };
}
