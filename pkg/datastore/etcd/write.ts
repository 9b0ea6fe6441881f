import { DatastoreError, type KeyValue, MAX_VALUE_BYTES } from '../datastore.ts';
import { checkKey } from '../keys.ts';
import type { EtcdMessage, EtcdRequest } from './client.ts';

/** One write and the state of the key it depends on; `expect` 0: the key is not there. */
export interface EtcdWrite {
  readonly verb: 'create' | 'update' | 'delete';
  readonly key: string;
  readonly value: Uint8Array;
  readonly expect: number;
}

/** Throws DatastoreError `invalid-key` or `value-too-large`. */
export function checkWrite({ key, value }: EtcdWrite): void {
  checkKey(key);
  if (value.byteLength > MAX_VALUE_BYTES) {
    const message = `the value of ${key} has ${value.byteLength} bytes; the limit is ${MAX_VALUE_BYTES}`;
    throw new DatastoreError('value-too-large', message);
  }
}

/** The transaction that makes the write when the key is as expected, and reads the key when it is not. */
export function transactionOf({ verb, key, value, expect }: EtcdWrite): EtcdRequest<'TxnRequest'> {
  return {
    compare: [{ result: 'EQUAL', target: 'MOD', key, modRevision: expect }],
    success: [verb === 'delete' ? { requestDeleteRange: { key } } : { requestPut: { key, value } }],
    failure: [{ requestRange: { key } }],
  };
}

/** An update or deletion of revision 0 would mean "not there" to etcd; no key has it. */
export function canNeverWin({ verb, expect }: EtcdWrite): boolean {
  return verb !== 'create' && expect <= 0;
}

export function keyValueOf({ key, value, createRevision, modRevision }: EtcdMessage<'KeyValue'>): KeyValue {
  return { key, value, createRevision, modRevision };
}
