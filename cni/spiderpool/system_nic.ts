import { ProbeNic } from "../../src/datapath/apply/probe_nic.ts";
import type { OpenProbeNic } from "./nic.ts";

/** Opens a NIC of this machine. The thread is in the node's network namespace. */
export const openSystemNic: OpenProbeNic = ProbeNic.open;
