/** Names as Kubernetes and the kernel take them. */

/** Characters of a DNS-1123 subdomain. */
const SUBDOMAIN_CHARACTERS_MAX = 253;
const LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";
const SUBDOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
/** Name part of a label's key, and the value of a label. */
const LABEL_NAME = /^[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/;
/** Bytes of an interface's name: IFNAMSIZ, less the zero at its end. */
const INTERFACE_BYTES_MAX = 15;

/** What to write where a name is wrong. */
export const NAME_REMEDY =
  'lower-case letters, digits, "-" and "." that begin and end with a letter or digit';
/** What to write where the name of a group of networks is wrong. */
export const GROUP_REMEDY =
  'at most 63 letters, digits, "-", "_" and "." that begin and end with a letter or digit';
/** What to write where the name of an interface is wrong. */
export const INTERFACE_REMEDY =
  `the name of an interface, at most ${INTERFACE_BYTES_MAX} characters without white space, "/" ` +
  `and ":"`;

/** Whether a text is a DNS-1123 subdomain, as names of objects are. */
export function isObjectName(text: string): boolean {
  return text.length <= SUBDOMAIN_CHARACTERS_MAX && SUBDOMAIN.test(text);
}

/** Whether a text is the name of an object, with its namespace before it or not. */
export function isQualifiedName(text: string): boolean {
  const parts = text.split("/");
  return parts.length <= 2 && parts.every(isObjectName);
}

/** Whether a text is the key of a label, with a prefix or not. */
export function isLabelKey(text: string): boolean {
  const parts = text.split("/");
  const name = parts.pop() ?? "";
  return LABEL_NAME.test(name) && parts.length <= 1 && parts.every(isObjectName);
}

/** Whether a text is the value of a label; empty is one. */
export function isLabelValue(text: string): boolean {
  return text === "" || LABEL_NAME.test(text);
}

/** Whether the kernel takes a text as the name of an interface. */
export function isInterfaceName(text: string): boolean {
  const bytes = new TextEncoder().encode(text).length;
  return bytes > 0 && bytes <= INTERFACE_BYTES_MAX && !/[\s/:]/.test(text) &&
    text !== "." && text !== "..";
}
