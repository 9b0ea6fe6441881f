import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { encodeSwagger } from './openapi-messages.ts';

/** The messages of openapi.v2 as far as the document below reaches. */
const PROTO = `syntax = "proto3";
message Any { string yaml = 2; }
message NamedAny { string name = 1; Any value = 2; }
message Document { string swagger = 1; Info info = 2; Paths paths = 8; Definitions definitions = 9; }
message Info { string title = 1; string version = 2; }
message Definitions { repeated NamedSchema additional_properties = 1; }
message NamedSchema { string name = 1; Schema value = 2; }
message Schema { string _ref = 1; string format = 2; string description = 4; Any default = 5; repeated string required = 19;
  repeated Any enum = 20; AdditionalPropertiesItem additional_properties = 21; TypeItem type = 22; ItemsItem items = 23;
  repeated Schema all_of = 24; Definitions properties = 25; repeated NamedAny vendor_extension = 31; }
message AdditionalPropertiesItem { Schema schema = 1; }
message TypeItem { repeated string value = 1; }
message ItemsItem { repeated Schema schema = 1; }
message Paths { repeated NamedPathItem path = 2; }
message NamedPathItem { string name = 1; PathItem value = 2; }
message PathItem { Operation patch = 8; }
message Operation { repeated string consumes = 7; repeated ParametersItem parameters = 8; Responses responses = 9;
  repeated NamedAny vendor_extension = 13; }
message ParametersItem { Parameter parameter = 1; }
message Parameter { BodyParameter body_parameter = 1; NonBodyParameter non_body_parameter = 2; }
message BodyParameter { string name = 2; string in = 3; bool required = 4; Schema schema = 5; }
message NonBodyParameter { QueryParameter query_parameter_sub_schema = 3; }
message QueryParameter { string in = 2; string name = 4; string type = 6; bool unique_items = 20; }
message Responses { repeated NamedResponse response_code = 1; }
message NamedResponse { string name = 1; ResponseValue value = 2; }
message ResponseValue { Response response = 1; }
message Response { string description = 1; SchemaItem schema = 2; }
message SchemaItem { Schema schema = 1; }`;

test('a Swagger document becomes the message kubectl reads', () => {
  const bytes = encodeSwagger({
    swagger: '2.0',
    info: { title: 'Kubernetes', version: 'v1' },
    paths: {
      '/x': {
        patch: {
          consumes: ['a', 'b'],
          parameters: [
            { name: 'dryRun', in: 'query', type: 'string', uniqueItems: true },
            { name: 'body', in: 'body', required: true, schema: { $ref: '#/definitions/X' } },
          ],
          responses: { '200': { description: 'OK', schema: { $ref: '#/definitions/X' } } },
          'x-kubernetes-action': 'patch',
        },
      },
    },
    definitions: {
      X: {
        description: 'An X.',
        type: 'object',
        required: ['list'],
        properties: {
          list: { type: 'array', items: { type: 'string' }, enum: ['a'], default: {} },
          map: { type: 'object', additionalProperties: { allOf: [{ $ref: '#/definitions/X' }] } },
        },
        'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'X' }],
      },
    },
  });
  const type = protobuf.parse(PROTO, { keepCase: true }).root.lookupType('Document');
  const reference = { _ref: '#/definitions/X' };
  assert.deepEqual(type.toObject(type.decode(bytes)), {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: 'v1' },
    paths: {
      path: [
        {
          name: '/x',
          value: {
            patch: {
              consumes: ['a', 'b'],
              parameters: [
                {
                  parameter: {
                    non_body_parameter: {
                      query_parameter_sub_schema: { in: 'query', name: 'dryRun', type: 'string', unique_items: true },
                    },
                  },
                },
                { parameter: { body_parameter: { name: 'body', in: 'body', required: true, schema: reference } } },
              ],
              responses: {
                response_code: [
                  { name: '200', value: { response: { description: 'OK', schema: { schema: reference } } } },
                ],
              },
              vendor_extension: [{ name: 'x-kubernetes-action', value: { yaml: '"patch"\n' } }],
            },
          },
        },
      ],
    },
    definitions: {
      additional_properties: [
        {
          name: 'X',
          value: {
            description: 'An X.',
            required: ['list'],
            type: { value: ['object'] },
            properties: {
              additional_properties: [
                {
                  name: 'list',
                  value: {
                    type: { value: ['array'] },
                    items: { schema: [{ type: { value: ['string'] } }] },
                    enum: [{ yaml: '"a"\n' }],
                    default: { yaml: '{}\n' },
                  },
                },
                {
                  name: 'map',
                  value: {
                    type: { value: ['object'] },
                    additional_properties: { schema: { all_of: [reference] } },
                  },
                },
              ],
            },
            vendor_extension: [
              {
                name: 'x-kubernetes-group-version-kind',
                value: { yaml: '[{"group":"","version":"v1","kind":"X"}]\n' },
              },
            ],
          },
        },
      ],
    },
  });
  assert.throws(() => encodeSwagger({ host: 'x' }), /host has no protobuf form/);
});
