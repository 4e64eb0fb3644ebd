// Errors whose message is written for the person in front of the page.

export class PageError extends Error {}

/** The text of any error, for people. */
export function messageOf(error) {
  if (error instanceof PageError) return error.message;
  return `Something failed that should not: ${error?.message ?? error}`;
}
