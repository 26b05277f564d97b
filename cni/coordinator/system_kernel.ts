import { isNetnsThere, openNodeAndPod, openWhatIsThere } from "../../src/datapath/apply/mod.ts";
import type { CoordinatorKernel } from "./kernel.ts";

/** The kernel of this machine. The thread is in the node's network namespace. */
export const systemKernel: CoordinatorKernel = {
  open: openNodeAndPod,
  openWhatIsThere,
  isThere: isNetnsThere,
};
