/** Names, values and lists as short as a message needs them. */

/** Characters of a name or value that are shown. */
const CHARACTERS_MAX = 63;
/** Members of a list that are shown. */
const MEMBERS_MAX = 3;

/** Shows a value: as it is where that is one short word, else in quotes and cut. */
export function brief(text: string): string {
  return text.length <= CHARACTERS_MAX && /^[\w./:-]+$/.test(text) ? text : quoted(text);
}

/** Shows a name in quotes, cut where it is long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length <= CHARACTERS_MAX ? text : `${text.slice(0, CHARACTERS_MAX)}…`);
}

/** Shows values as a selector of kubectl lists them: `a,b,c and 5 more`. */
export function briefValues(values: readonly string[]): string {
  return cutList(values.map(brief), ",");
}

/** Shows names: `"a", "b", "c" and 5 more`. */
export function quotedNames(names: readonly string[]): string {
  return cutList(names.map(quoted), ", ");
}

/** Shows how many there are of something: `1 address`, `2 addresses`. */
export function counted(
  count: number | bigint,
  { one, more }: { readonly one: string; readonly more: string },
): string {
  return `${count} ${count === 1 || count === 1n ? one : more}`;
}

function cutList(texts: readonly string[], separator: string): string {
  // "and 1 more" would be no shorter than the member.
  if (texts.length <= MEMBERS_MAX + 1) return texts.join(separator);
  const shown = texts.slice(0, MEMBERS_MAX).join(separator);
  return `${shown} and ${texts.length - MEMBERS_MAX} more`;
}
