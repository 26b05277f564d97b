/**
 * Rights that manifests give, and what an API server's audit log says of their use. Pure: texts and
 * objects in, lists out.
 */

/** One thing that one user may do: a rule of a role, taken apart. */
export interface Right {
  readonly user: string;
  readonly verb: string;
  /** `""` is the core group. */
  readonly group: string;
  /** `pods`, or `spiderippools/status`. */
  readonly resource: string;
  /** The only object that it is about; absent: each. */
  readonly name?: string | undefined;
  /** Where it counts; absent: everywhere. */
  readonly namespace?: string | undefined;
}

/** A request that somebody made. Absent parts are not in it. */
export interface RequestMade extends Right {
  /** Whether it was refused for lack of a right. */
  readonly isDenied: boolean;
}

interface RoleRule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs?: readonly string[];
}

/** What is read of an object of a manifest. */
export interface ManifestObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly RoleRule[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly namespace?: string;
  }[];
}

/** Every right that ServiceAccounts get from roles and their bindings, each once. */
export function rightsOf(objects: readonly ManifestObject[]): readonly Right[] {
  const found = new Map<string, Right>();
  for (const { roleRef, subjects = [], metadata: { namespace } } of objects) {
    if (roleRef === undefined) continue;
    const role = objects.find(({ kind, metadata }) =>
      kind === roleRef.kind && metadata.name === roleRef.name &&
      (kind === "ClusterRole" || metadata.namespace === namespace)
    );
    if (role === undefined) {
      throw new Error(`No ${roleRef.kind} "${roleRef.name}" is there to bind`);
    }
    for (const { kind, name, namespace: home = "" } of subjects) {
      if (kind !== "ServiceAccount") throw new Error(`Cannot tell what a ${kind} "${name}" does`);
      const user = `system:serviceaccount:${home}:${name}`;
      for (const rule of role.rules ?? []) {
        for (const right of rightsOfRule(rule, { user, namespace })) {
          found.set(textOf(right), right);
        }
      }
    }
  }
  return [...found.values()];
}

function* rightsOfRule(
  { apiGroups = [], resources = [], resourceNames, verbs = [] }: RoleRule,
  of: Pick<Right, "user" | "namespace">,
): Iterable<Right> {
  for (const group of apiGroups) {
    for (const resource of resources) {
      for (const verb of verbs) {
        for (const name of resourceNames ?? [undefined]) {
          yield { ...of, verb, group, resource, name };
        }
      }
    }
  }
}

/** `ACCOUNT VERB RESOURCE[.GROUP][ NAME][ in NAMESPACE]`. */
export function textOf({ user, verb, group, resource, name, namespace }: Right): string {
  return `${user.split(":").at(-1)} ${verb} ${group === "" ? resource : `${resource}.${group}`}` +
    (name === undefined ? "" : ` ${name}`) + (namespace === undefined ? "" : ` in ${namespace}`);
}

interface AuditObject {
  readonly resource: string;
  readonly subresource?: string;
  readonly apiGroup?: string;
  readonly namespace?: string;
  readonly name?: string;
}

interface AuditEntry {
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  /** Absent: it is about no object. */
  readonly objectRef?: AuditObject;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Requests for objects in an audit log, each kind of them once.
 *
 * @source Kubernetes `audit.k8s.io/v1` Event; the annotation that its authorizer adds
 */
export function requestsIn(auditLog: string): readonly RequestMade[] {
  const found = new Map<string, RequestMade>();
  // The last line may not be whole yet.
  for (const line of auditLog.split("\n").slice(0, -1)) {
    const { verb, requestURI, user, objectRef, annotations = {} }: AuditEntry = JSON.parse(line);
    const isDenied = annotations["authorization.k8s.io/decision"] === "forbid";
    const about: AuditObject = objectRef ?? { resource: requestURI };
    const { resource, subresource, apiGroup: group = "", namespace, name } = about;
    const request: RequestMade = {
      ...{ user: user.username, verb, group, namespace, name, isDenied },
      resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    };
    found.set(`${textOf(request)} ${isDenied}`, request);
  }
  return [...found.values()];
}

/** Whether a request needed a right. */
export function uses(request: RequestMade, right: Right): boolean {
  return request.user === right.user && request.verb === right.verb &&
    request.group === right.group && request.resource === right.resource &&
    (right.name === undefined || request.name === right.name) &&
    (right.namespace === undefined || request.namespace === right.namespace);
}
