import type { CustomResourceDefinition, JSONSchemaProps } from '../../api/generated/apiextensions-v1.ts';
import { isKnownFormat } from '../../apimachinery/custom/formats.ts';
import { additionalOf, itemsOf } from '../../apimachinery/custom/structural-schema.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';

/** The `format`s in the schemas of a definition that mean nothing to the API server. */
export function unrecognizedFormats({ versions = [] }: CustomResourceDefinition['spec']): string[] {
  const schemas = versions.map(({ schema }) => schema?.openAPIV3Schema);
  const isShared = schemas.every((schema) => deepEqual(schema, schemas[0]));
  return (isShared ? schemas.slice(0, 1) : schemas).flatMap((schema) =>
    schema === undefined ? [] : formatsIn(schema),
  );
}

function formatsIn(props: JSONSchemaProps): string[] {
  const own = props.format && !isKnownFormat(props.format, props.type) ? [props.format] : [];
  const additional = additionalOf(props);
  const below = [
    itemsOf(props),
    ...(props.allOf ?? []),
    ...(props.anyOf ?? []),
    ...(props.oneOf ?? []),
    props.not,
    ...Object.values(props.properties ?? {}),
    additional === true ? undefined : additional,
  ];
  return [...own, ...below.flatMap((each) => (each === undefined ? [] : formatsIn(each)))];
}
