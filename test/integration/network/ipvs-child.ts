/** Runs in a guest, whose kernel has IPVS. */
import { proxyCases } from './proxy-cases.ts';

proxyCases('ipvs');
