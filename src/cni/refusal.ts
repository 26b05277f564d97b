/**
 * `code` of an error object. Below 100 they are the specification's; from 100 on a plugin's own.
 *
 * @source CNI specification 1.1.0, "Error"
 */
export const CNI_CODES = {
  incompatibleVersion: 1,
  /** The message names the variables. */
  badEnvironment: 4,
  inputUnreadable: 5,
  undecodable: 6,
  badConfig: 7,
  /** A condition that should clear up. */
  tryAgain: 11,
  /** Answer to STATUS: no ADD can be served. */
  unavailable: 50,
  /** The plugin does not have the command. */
  notServed: 100,
  /** Everything else, as the specification's library and the reference have it. */
  failed: 999,
} as const;

/** One of `CNI_CODES`. */
export type CniCode = typeof CNI_CODES[keyof typeof CNI_CODES];

/** Why a command was not carried out, as the runtime is told. */
export interface CniRefusal {
  readonly code: CniCode;
  /** What a person sees first: kubelet and containerd show it, Multus passes it on. */
  readonly msg: string;
  readonly details?: string;
}

/** Prints the error object of a refusal. @param cniVersion The version that was asked with. */
export function refusalText(
  { code, msg, details }: CniRefusal,
  { cniVersion }: { readonly cniVersion: string },
): string {
  const more = details === undefined || details === "" ? {} : { details };
  return `${JSON.stringify({ cniVersion, code, msg, ...more })}\n`;
}
