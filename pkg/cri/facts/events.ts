/**
 * Messages of containerd's own event service, for runtimes without CRI's GetContainerEvents (containerd 1.6); see
 * `../facts.ts` for the notation. `AnyTaskEvent` is what containerd's task and container events have in common:
 * the container's id is field 1 of every one of them.
 */
export const eventMessages = {
  SubscribeRequest: { filters: [1, 'string[]'] },
  Timestamp: { seconds: [1, 'int64'], nanos: [2, 'int32'] },
  Any: { typeUrl: [1, 'string'], value: [2, 'bytes'] },
  Envelope: { timestamp: [1, 'Timestamp'], namespace: [2, 'string'], topic: [3, 'string'], event: [4, 'Any'] },
  AnyTaskEvent: { containerId: [1, 'string'] },
  PublishRequest: { topic: [1, 'string'], event: [2, 'Any'] },
  TaskExitEvent: { containerId: [1, 'string'], id: [2, 'string'] },
} as const;
