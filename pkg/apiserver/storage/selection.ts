import type { KubeObject } from '../../api/types.ts';
import { everyField, type FieldSelector, parseFieldSelector } from '../../apimachinery/fields.ts';
import { parseLabelSelector } from '../../apimachinery/label-parser.ts';
import { everyLabel, type LabelMatcher } from '../../apimachinery/labels.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { StoredObject } from './stored-object.ts';

/** Which objects of a resource a list or a watch is about, beyond the namespace. */
export class Selection {
  readonly labels: LabelMatcher;
  readonly fields: FieldSelector;
  readonly #descriptor: Descriptor;

  constructor(descriptor: Descriptor, labels: LabelMatcher, fields: FieldSelector) {
    this.#descriptor = descriptor;
    this.labels = labels;
    this.fields = fields;
  }

  /** Throws BadRequest for malformed selectors and for fields that cannot be selected by. */
  static parse(descriptor: Descriptor, labelText: string | undefined, fieldText: string | undefined): Selection {
    try {
      const labels = labelText ? parseLabelSelector(labelText) : everyLabel;
      const fields = fieldText ? parseFieldSelector(fieldText) : everyField;
      for (const { field } of fields.terms) {
        if (!isSelectable(descriptor, field)) throw new Error(unselectableText(descriptor, field));
      }
      return new Selection(descriptor, labels, fields);
    } catch (error) {
      throw statusErrors.badRequest(error instanceof Error ? error.message : String(error));
    }
  }

  get isEverything(): boolean {
    return this.labels.isEverything && this.fields.isEverything;
  }

  matches(stored: StoredObject): boolean {
    return this.isEverything || this.matchesObject(stored.object);
  }

  matchesObject(object: KubeObject): boolean {
    if (!this.labels.matches(object.metadata.labels)) return false;
    return this.fields.isEverything || this.fields.matches((field) => this.#read(object, field));
  }

  #read(object: KubeObject, field: string): string {
    if (field === 'metadata.name') return object.metadata.name;
    if (field === 'metadata.namespace') return object.metadata.namespace ?? '';
    return this.#descriptor.selectableFields[field]?.read(object) ?? '';
  }
}

/** Whether upstream has a list of fields for the kind alone; the others have the one that is common to all. */
function hasOwnFields({ custom, selectableFields }: Descriptor): boolean {
  return custom || Object.keys(selectableFields).length > 0;
}

/** The common list has the namespace even of what is in none. */
function isSelectable(descriptor: Descriptor, field: string): boolean {
  if (field === 'metadata.name' || Object.hasOwn(descriptor.selectableFields, field)) return true;
  return field === 'metadata.namespace' && (descriptor.type.namespaced || !hasOwnFields(descriptor));
}

function unselectableText(descriptor: Descriptor, field: string): string {
  const text = descriptor.unselectableField?.(field);
  if (text !== undefined) return text;
  if (hasOwnFields(descriptor)) return `field label not supported: ${field}`;
  return `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`;
}
