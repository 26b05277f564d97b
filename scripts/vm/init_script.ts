/**
 * First process of the machine, a script for busybox: loads the kernel modules in `/rig/modules`,
 * runs `deno test` with the arguments in `/rig/arguments`, one a line, in the folder that
 * `/rig/folder` names, and turns the machine off. The first port out carries what the tests print,
 * as it comes; the second the report that `report.ts` reads. What goes wrong before there is a
 * second port goes to the console, after `rig: `.
 */
export const INIT_SCRIPT = `#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C

/bin/busybox mkdir -p /sbin /usr/sbin /usr/bin
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

give_up() {
  echo "rig: $1" >/dev/console
  poweroff -f
  exec sleep 3600
}

stage() {
  read -r uptime rest </proc/uptime
  echo "stage $1 $uptime" >&4
}

folder="/lib/modules/$(uname -r)"
while read -r name path options; do
  insmod "$folder/$path" $options 2>/tmp/complaint ||
    give_up "module $name $(tail -n 1 /tmp/complaint)"
done </rig/modules

# The ports appear a moment after their driver.
tries=0
until [ -c /dev/vport0p1 ] && [ -c /dev/vport0p2 ]; do
  [ "$tries" -lt 200 ] || give_up "ports none after $tries looks"
  tries=$((tries + 1))
  usleep 20000
done
exec 3>/dev/vport0p1 4>/dev/vport0p2
stage booted
dmesg -n 4 # What the kernel says of its boot serves if it hangs there; what it says now, nobody.

# If nobody is left to read the output, or to stop a machine that hangs, it stops itself.
mount -t debugfs debugfs /sys/kernel/debug
seconds="$(cat /rig/seconds)"
(
  while [ "$seconds" -gt 0 ]; do
    sleep 2
    seconds=$((seconds - 2))
    grep -q "^host_connected: 0" /sys/kernel/debug/virtio-ports/vport0p1 && poweroff -f
  done
  echo "rig: limit" >/dev/console
  poweroff -f
) 3>&- 4>&- &

ip link set lo up
while IFS= read -r line; do export "$line"; done </rig/environment
set --
while IFS= read -r line; do set -- "$@" "$line"; done </rig/arguments
cd "$(cat /rig/folder)" || give_up "folder $(cat /rig/folder)"
deno test "--junit-path=/tmp/junit.xml" "$@" </dev/null >&3 2>&3 4>&-
code=$?

stage ended
echo "exit $code" >&4
if [ -f /tmp/junit.xml ]; then
  echo "junit $(wc -c </tmp/junit.xml)" >&4
  cat /tmp/junit.xml >&4
  echo >&4
fi
echo end >&4
poweroff -f
exec sleep 3600
`;
