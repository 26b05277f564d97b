/** Keeps what proves who we are and whom we trust, and reads it again when it is rotated. */
import { type Clock, startDeadline } from "../base/clock.ts";
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ClusterAccess, Material, ReadText } from "./access.ts";
import { type ExecCredential, runExecPlugin } from "./exec_plugin.ts";

/** What one request is sent with. */
export interface Presentation {
  /** PEM; part of the connection, so a change needs a new one. */
  readonly tls: TlsMaterial;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a TLS connection is made with, all PEM. */
export interface TlsMaterial {
  readonly certificateAuthority?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
}

/** Milliseconds after which files are read again: kubelets rotate well before the old ones end. */
export const CREDENTIAL_REREAD_MS = 60_000;
/** Milliseconds between two reads that refused requests ask for. */
const FORCED_REREAD_MS_MIN = 1_000;
/** Milliseconds before its end at which an exec credential is fetched anew. */
const EXEC_RENEW_MS = 30_000;

/** Milliseconds an exec command may take: some ask a cloud over the network. */
const EXEC_TIMEOUT_MS = 60_000;

/** Reads, keeps and renews credentials. One read at a time, shared by all requests that wait. */
export class Credentials implements Disposable {
  readonly #access: ClusterAccess;
  readonly #clock: Clock;
  readonly #readText: ReadText;
  #held: Presentation | undefined;
  #readAtMs = -Infinity;
  #exec: ExecCredential | undefined;
  #reading: Promise<Result<Presentation, string>> | undefined;
  readonly #ended = new AbortController();

  constructor(
    access: ClusterAccess,
    { clock, readText }: { readonly clock: Clock; readonly readText: ReadText },
  ) {
    this.#access = access;
    this.#clock = clock;
    this.#readText = readText;
  }

  /**
   * What to send a request with. Files are read again after a minute; while they cannot be read (a
   * rotation in progress), what was read before is still used.
   *
   * @returns A refusal is one sentence that names the file or command.
   * @throws The signal's reason, if it aborts first.
   */
  async present(
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<Presentation, string>> {
    const held = this.#held;
    const fresh = this.#clock.monotonicMs() - this.#readAtMs < CREDENTIAL_REREAD_MS;
    if (held !== undefined && fresh && !this.#execEnds()) return ok(held);
    return await this.#readShared({ signal });
  }

  /**
   * Forgets what a server has refused (401), so that the next `present` reads files and runs the
   * command again; at most once a second.
   *
   * @param presented What was refused.
   * @returns Whether the next request may be sent with something else.
   */
  refuse(presented: Presentation): boolean {
    const held = this.#held;
    const renewed = held !== undefined && (held.tls !== presented.tls ||
      held.headers["authorization"] !== presented.headers["authorization"]);
    if (renewed) return true; // Another request was refused before: the new one is here.
    if (this.#clock.monotonicMs() - this.#readAtMs < FORCED_REREAD_MS_MIN) return false;
    this.#readAtMs = -Infinity;
    this.#exec = undefined;
    return true;
  }

  /** Ends a command that is still running. */
  [Symbol.dispose](): void {
    this.#ended.abort(new Error("The credentials are no longer used"));
  }

  async #readShared(
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<Presentation, string>> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    const read = await untilAborted(this.#reading, signal);
    if (!read.ok && this.#held !== undefined) return ok(this.#held);
    return read;
  }

  async #read(): Promise<Result<Presentation, string>> {
    const { identity, certificateAuthority, origin } = this.#access;
    if (identity.exec !== undefined && (this.#exec === undefined || this.#execEnds())) {
      using deadline = startDeadline(this.#clock, {
        timeoutMs: EXEC_TIMEOUT_MS,
        what: `command "${identity.exec.command}" of ${origin}`,
        signal: this.#ended.signal,
      });
      const run = await runExecPlugin(identity.exec, {
        access: this.#access,
        signal: deadline.signal,
      }).catch((error: unknown) => err(errorText(error)));
      if (!run.ok) return run;
      this.#exec = run.value;
    }
    const sources = {
      certificateAuthority,
      clientCertificate: identity.clientCertificate,
      clientKey: identity.clientKey,
      token: identity.token,
    };
    const texts: Record<keyof typeof sources, string | undefined> = {
      certificateAuthority: undefined,
      clientCertificate: undefined,
      clientKey: undefined,
      token: undefined,
    };
    for (const [name, source] of entriesOf(sources)) {
      const text = await this.#textOf(source);
      if (!text.ok) return text;
      texts[name] = text.value;
    }
    this.#readAtMs = this.#clock.monotonicMs();
    this.#held = {
      tls: keepIfSame(this.#held?.tls, {
        certificateAuthority: texts.certificateAuthority,
        clientCertificate: this.#exec?.clientCertificate ?? texts.clientCertificate,
        clientKey: this.#exec?.clientKey ?? texts.clientKey,
      }),
      headers: this.#headers(this.#exec?.token ?? texts.token?.trim()),
    };
    return ok(this.#held);
  }

  async #textOf(source: Material | undefined): Promise<Result<string | undefined, string>> {
    if (source === undefined) return ok(undefined);
    if (source.kind === "text") return ok(source.text);
    try {
      return ok(await this.#readText(source.path));
    } catch (error) {
      return err(
        `"${source.path}", named by ${this.#access.origin}, cannot be read: ${errorText(error)}: ` +
          `check the path and its permissions`,
      );
    }
  }

  #headers(token: string | undefined): Readonly<Record<string, string>> {
    const { basic, impersonateUser } = this.#access.identity;
    const pair = basic === undefined ? undefined : `${basic.username}:${basic.password}`;
    return {
      ...(pair !== undefined &&
        { authorization: `Basic ${new TextEncoder().encode(pair).toBase64()}` }),
      ...(token !== undefined && token !== "" && { authorization: `Bearer ${token}` }),
      ...(impersonateUser !== undefined && { "impersonate-user": impersonateUser }),
    };
  }

  #execEnds(): boolean {
    const endsAtMs = this.#exec?.expiresAtMs;
    const justRan = this.#clock.monotonicMs() - this.#readAtMs < FORCED_REREAD_MS_MIN;
    return endsAtMs !== undefined && !justRan && this.#clock.nowMs() > endsAtMs - EXEC_RENEW_MS;
  }
}

function entriesOf<K extends string, V>(record: Readonly<Record<K, V>>): [K, V][] {
  const keys: K[] = [];
  for (const key in record) keys.push(key);
  return keys.map((key) => [key, record[key]]);
}

/** The same object as long as the material is the same: connections are compared by it. */
function keepIfSame(held: TlsMaterial | undefined, read: TlsMaterial): TlsMaterial {
  const same = held !== undefined && held.certificateAuthority === read.certificateAuthority &&
    held.clientCertificate === read.clientCertificate && held.clientKey === read.clientKey;
  return same ? held : read;
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
