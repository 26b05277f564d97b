/** Leases in the namespace of Spiderpool. */

/** Lease of the controllers' leader. */
export const LEADER_LEASE_NAME = "spiderpool-controller-leases";
/** Lease of the agent that takes over older records where no controller leads. */
export const ADOPTION_LEASE = "spiderpool-adoption";
