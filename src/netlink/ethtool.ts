/** What drives a NIC. */
import { err, ok, type Result } from "../base/result.ts";
import { addressOf, ioctl, openRouteSocketIn } from "./ffi.ts";
import {
  decodeDriverInfo,
  type DriverInfo,
  encodeDriverQuestion,
  encodeNicRequest,
  isNicName,
} from "./wire/ethtool.ts";

const SIOCGIFINDEX = 0x8933n;
const SIOCETHTOOL = 0x8946n;

/** A NIC, and where it is. */
export interface NicPlace {
  /** Path of its network namespace. */
  readonly netns: string;
  readonly nic: string;
}

/** Why nothing is known of a NIC's driver. `reason` is empty or ` (ENODEV)`, for a message. */
export interface DriverRefusal {
  readonly code: "no_nic" | "no_driver";
  readonly reason: string;
}

/**
 * Asks which driver a NIC has, and where its device is. Needs no capability but that of entering
 * the namespace.
 *
 * Equivalent: `nsenter --net=NETNS ethtool -i NIC`.
 *
 * @outcome `no_nic` The namespace has no NIC of that name.
 * @outcome `no_driver` It has, but that kind says nothing of its driver (`lo`).
 * @throws {NetlinkError} If the namespace cannot be asked.
 * @source Linux `net/ethtool/ioctl.c`, ETHTOOL_GDRVINFO
 */
export function driverOf({ netns, nic }: NicPlace): Result<DriverInfo, DriverRefusal> {
  if (!isNicName(nic)) return err({ code: "no_nic", reason: "" });
  using socket = openRouteSocketIn(netns);
  const index = ioctl(socket, {
    request: SIOCGIFINDEX,
    argument: encodeNicRequest(nic, { data: 0n }),
  });
  if (!index.ok) return err({ code: "no_nic", reason: index.error.reason });
  const question = encodeDriverQuestion();
  const argument = encodeNicRequest(nic, { data: addressOf(question) });
  const answered = ioctl(socket, { request: SIOCETHTOOL, argument });
  if (!answered.ok) return err({ code: "no_driver", reason: answered.error.reason });
  return ok(decodeDriverInfo(question));
}
