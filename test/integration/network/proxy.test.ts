import { proxyCases } from './proxy-cases.ts';

proxyCases('nftables');
