import type { Pod } from '../../api/generated/core-v1.ts';
import { MAX_NODE_SCORE, type Plugin } from '../framework.ts';

const MIB = 1024 * 1024;
/** Images smaller than this in sum do not matter; larger than that for each container matter no more. */
const SMALLEST = 23 * MIB;
const LARGEST_PER_CONTAINER = 1000 * MIB;

/** Prefers nodes that have the Pod's images already; an image that few nodes have counts less, lest Pods pile up. */
export const imageLocality: Plugin = {
  name: 'ImageLocality',
  preScore(pod, cluster) {
    const names = imagesOf(pod);
    const spread = new Map(
      names.map((name): [string, number] => [
        name,
        cluster.nodes.filter(({ images }) => images.has(name)).length / Math.max(1, cluster.nodes.length),
      ]),
    );
    const largest = LARGEST_PER_CONTAINER * names.length;
    return {
      score({ images }) {
        const sum = names.reduce(
          (bytes, name) => bytes + Math.floor((images.get(name) ?? 0) * (spread.get(name) ?? 0)),
          0,
        );
        const clamped = Math.min(Math.max(sum, SMALLEST), largest);
        return Math.floor((MAX_NODE_SCORE * (clamped - SMALLEST)) / (largest - SMALLEST));
      },
    };
  },
};

/** The images of all containers, with the tag that a missing one stands for. */
function imagesOf(pod: Pod): string[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(({ image = '' }) =>
    image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image,
  );
}
