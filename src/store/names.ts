/** What the API allows as names, label keys and label values. */

/** Characters of a name (RFC 1123 subdomain), at most. */
export const NAME_LENGTH_MAX = 253;
/** Characters of a label's value, and of the part of a key after its `/`, at most. */
export const LABEL_LENGTH_MAX = 63;

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const WORD = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** Says what is wrong with the name of an object; `undefined` when nothing is. */
export function nameProblem(name: string): string | undefined {
  if (name.length > 0 && name.length <= NAME_LENGTH_MAX && SUBDOMAIN.test(name)) return undefined;
  return `${shown(name)} is not a name: use 1 to ${NAME_LENGTH_MAX} lower-case letters, digits, ` +
    `"-" and ".", with a letter or digit at both ends of each part`;
}

/** Says what is wrong with the name of a namespace; `undefined` when nothing is. */
export function namespaceProblem(name: string): string | undefined {
  if (name.length <= LABEL_LENGTH_MAX && LABEL.test(name)) return undefined;
  return `${shown(name)} is not a namespace: use 1 to ${LABEL_LENGTH_MAX} lower-case letters, ` +
    `digits and "-", with a letter or digit at both ends`;
}

/** Says what is wrong with a key of labels, annotations or finalizers. */
export function keyProblem(key: string): string | undefined {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  const prefixIsFine = prefix === undefined || nameProblem(prefix) === undefined;
  if (prefixIsFine && name.length <= LABEL_LENGTH_MAX && WORD.test(name)) return undefined;
  return `${shown(key)} is not a key: use an optional DNS name with "/", then 1 to ` +
    `${LABEL_LENGTH_MAX} letters, digits, "-", "_" and ".", with a letter or digit at both ends`;
}

/** Says what is wrong with the value of a label; `undefined` when nothing is. */
export function labelValueProblem(value: string): string | undefined {
  if (value === "" || (value.length <= LABEL_LENGTH_MAX && WORD.test(value))) return undefined;
  return `${shown(value)} is not the value of a label: use at most ${LABEL_LENGTH_MAX} letters, ` +
    `digits, "-", "_" and ".", with a letter or digit at both ends`;
}

/** Quotes a value for a message; a long one is cut, so that the message stays one line. */
export function shown(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}
