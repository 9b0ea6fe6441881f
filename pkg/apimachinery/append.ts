/**
 * Adds all items to the end of a list. `list.push(...items)` puts them on the stack, which overflows at some hundred
 * thousand: as many as a request of 3 MB may hold.
 */
export function append<T>(list: T[], items: Iterable<T>): void {
  for (const item of items) list.push(item);
}
