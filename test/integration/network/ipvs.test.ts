import { join } from 'node:path';
import { IPVS_MODULES } from '../../guest/modules.ts';
import { testInGuest } from '../../guest/tests.ts';

testInGuest('Services by IPVS', join(import.meta.dirname, 'ipvs-child.ts'), {
  modules: IPVS_MODULES,
  timeoutMs: 280_000,
});
