import type { Container, Pod, Secret } from '../api/generated/core-v1.ts';
import { formatDuration } from '../apimachinery/duration.ts';
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/log.ts';
import type { EventType } from '../client/event-correlator.ts';
import type { ImageService } from '../cri/services.ts';
import type { Message, MessageInit } from '../cri/types.ts';
import { Backoff } from './backoff.ts';
import { ContainerStartError } from './container-error.ts';
import { credentialsFor } from './image-credentials.ts';
import { imageNameProblem } from './image-reference.ts';
import { Limiter } from './limiter.ts';
import type { ImageUser } from './security-context.ts';

/** An image that is on this node. */
export interface PresentImage {
  /** What containers are made from: the image's id. */
  readonly ref: string;
  readonly user: ImageUser;
}

export interface ImageManagerOptions {
  readonly images: ImageService;
  readonly clock: Clock;
}

export interface EnsureImageInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly pullSecrets: readonly Secret[];
  readonly sandboxConfig: MessageInit<'PodSandboxConfig'>;
  /** Breaks a pull off: the Pod is to end. */
  readonly signal: AbortSignal;
  /** Records an event about the container. */
  readonly tell: (type: EventType, reason: string, message: string) => void;
}

interface Failure {
  readonly at: number;
  readonly message: string;
}

/** How long a failed pull shows as ErrImagePull before it becomes ImagePullBackOff. */
const SHOW_ERROR_MS = 2000;
const CONCURRENT_PULLS = 3;

/** The policy of a container without one: a moving tag is looked up every time. */
function pullPolicy(container: Container): string {
  if (container.imagePullPolicy !== undefined) return container.imagePullPolicy;
  const image = container.image ?? '';
  const tag = /:([^/:@]+)$/.exec(image)?.[1];
  return image.includes('@') || (tag !== undefined && tag !== 'latest') ? 'IfNotPresent' : 'Always';
}

/** Brings images to the node by upstream's pull policies and back-off. A slow registry does not hold up the others. */
export class ImageManager {
  readonly #images: ImageService;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #failures = new Map<string, Failure>();
  readonly #pulls = new Limiter(CONCURRENT_PULLS);
  /** The last of the pulls of each image: they go one after another, the later ones finding what the first brought. */
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(options: ImageManagerOptions) {
    this.#images = options.images;
    this.#clock = options.clock;
    this.#backoff = new Backoff(options.clock);
  }

  /** Makes sure that the container's image is there. Rejects with ContainerStartError. */
  async ensure(input: EnsureImageInput): Promise<PresentImage> {
    const { container, tell } = input;
    const name = container.image ?? '';
    const problem = imageNameProblem(name);
    if (problem !== undefined) {
      const message = `Failed to apply default image tag "${name}": couldn't parse image name "${name}": ${problem}`;
      tell('Warning', 'InspectFailed', message);
      throw new ContainerStartError('InvalidImageName', message);
    }
    const policy = pullPolicy(container);
    const present = await this.#status(name);
    if (present !== undefined && policy !== 'Always') {
      tell('Normal', 'Pulled', `Container image "${name}" already present on machine and can be accessed by the pod`);
      return presentImage(present);
    }
    if (policy === 'Never') {
      const message = `Container image "${name}" is not present with pull policy of Never`;
      tell('Warning', 'ErrImageNeverPull', message);
      throw new ContainerStartError('ErrImageNeverPull', message);
    }
    return this.#pullWithBackoff(input, name);
  }

  /** Forgets failures of a Pod that is gone. */
  forget(uid: string): void {
    this.#backoff.forgetPrefix(`${uid}/`);
    for (const key of this.#failures.keys()) if (key.startsWith(`${uid}/`)) this.#failures.delete(key);
  }

  async #pullWithBackoff(input: EnsureImageInput, name: string): Promise<PresentImage> {
    const { tell } = input;
    const key = `${input.pod.metadata.uid}/${name}`;
    const failure = this.#failures.get(key);
    if (failure !== undefined) {
      const wait = this.#backoff.remaining(key, failure.at);
      if (wait > 0) {
        const message = `Back-off pulling image "${name}"`;
        tell('Normal', 'BackOff', message);
        throw new ContainerStartError('ImagePullBackOff', `${message}: ${failure.message}`, {
          retryAt: this.#clock.now() + wait,
        });
      }
    }
    try {
      const image = await this.#inTurn(name, input.signal, () => this.#pull(input, name));
      this.#backoff.reset(key);
      this.#failures.delete(key);
      return image;
    } catch (error) {
      if (input.signal.aborted)
        throw new ContainerStartError('ErrImagePull', 'the pull was broken off', { cause: error });
      const now = this.#clock.now();
      tell('Warning', 'Failed', `Failed to pull image "${name}": ${errorText(error)}`);
      this.#failures.set(key, { at: now, message: `ErrImagePull: ${errorText(error)}` });
      this.#backoff.next(key, now);
      throw new ContainerStartError('ErrImagePull', errorText(error), {
        cause: error,
        // The error stands for a moment; after that the status tells of the back-off.
        retryAt: now + SHOW_ERROR_MS,
      });
    }
  }

  async #pull(input: EnsureImageInput, name: string): Promise<PresentImage> {
    const started = this.#clock.now();
    input.tell('Normal', 'Pulling', `Pulling image "${name}"`);
    const request = { image: { image: name }, sandboxConfig: input.sandboxConfig };
    const credentials = credentialsFor(name, input.pullSecrets);
    let failure: unknown;
    for (const auth of credentials.length === 0 ? [undefined] : credentials) {
      try {
        const { imageRef } = await this.#images.pullImage({ ...request, auth }, { signal: input.signal });
        const image = await this.#status(imageRef);
        if (image === undefined) throw new Error(`image ${name} was pulled and is not there`);
        const took = formatDuration(this.#clock.now() - started);
        const size = `Image size: ${image.size} bytes.`;
        input.tell(
          'Normal',
          'Pulled',
          `Successfully pulled image "${name}" in ${took} (${took} including waiting). ${size}`,
        );
        return presentImage(image);
      } catch (error) {
        if (input.signal.aborted) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  async #inTurn<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(name) ?? Promise.resolve();
    const turn = before.then(() =>
      this.#pulls.run(() => {
        signal.throwIfAborted();
        return work();
      }),
    );
    // The next in the queue does not care how this one ended.
    const ended = turn.catch(() => undefined);
    this.#queues.set(name, ended);
    void ended.then(() => {
      if (this.#queues.get(name) === ended) this.#queues.delete(name);
    });
    return await orAborted(turn, signal);
  }

  async #status(image: string): Promise<Message<'Image'> | undefined> {
    try {
      return (await this.#images.imageStatus({ image: { image } })).image;
    } catch (error) {
      const message = `Failed to inspect image "${image}": ${errorText(error)}`;
      throw new ContainerStartError('ImageInspectError', message, { cause: error });
    }
  }
}

/** `work`, or a rejection as soon as `signal` aborts; `work` goes on by itself then. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    const done = (): void => signal.removeEventListener('abort', abort);
    work.then(resolve, reject).finally(done);
  });
}

function presentImage(image: Message<'Image'>): PresentImage {
  return { ref: image.id, user: { uid: image.uid?.value, username: image.username } };
}
