/** What the installation says that rules depend on. */
export interface AdmissionSettings {
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  /** Whether pools belong to SpiderSubnets. */
  readonly enableSpiderSubnet: boolean;
  /** Whether pools and subnets in use may not be deleted. */
  readonly refuseDeletionInUse: boolean;
  /** Name of the SpiderCoordinator that counts. */
  readonly coordinatorName: string;
  /** Whether new nodes take no pods before their networks are there. */
  readonly gatesNodes: boolean;
}

/** One object to judge, and what is stored of it. */
export interface Reviewed<T> {
  readonly object: T;
  /** Absent for a creation. */
  readonly previous?: T | undefined;
  readonly settings: AdmissionSettings;
}
