/** gRPC's status codes; a code's number is its place in the list. */
export const GRPC_CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

export type GrpcCode = (typeof GRPC_CODES)[number];

/**
 * A call that did not end with OK: what the server answered, or what happened on the way. `UNAVAILABLE` means
 * that the server was not reached or went away, and the call may be tried again once it is back.
 */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';
  readonly code: GrpcCode;
  /** The method called, as `Service/Method`. */
  readonly method: string;

  constructor(code: GrpcCode, method: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.method = method;
  }
}

/** Whether `error` is a GrpcError with one of `codes`. */
export function hasGrpcCode(error: unknown, ...codes: readonly GrpcCode[]): error is GrpcError {
  return error instanceof GrpcError && codes.includes(error.code);
}
