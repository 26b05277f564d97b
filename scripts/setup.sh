#!/bin/sh
# Gets a machine ready to work on this project: Deno, and what the rigs need. Says what it does,
# changes nothing that is already there, and can be run again at any time.
#
#   scripts/setup.sh              Deno alone: enough for `deno task ok`
#   scripts/setup.sh demo         and what `deno task demo` needs
#   scripts/setup.sh kernel       and what kernel tests need
#   scripts/setup.sh vm           and QEMU for `deno task test:vm`
#   scripts/setup.sh vm-arm64     and QEMU for the arm64 machine
#   scripts/setup.sh cluster      and what `deno task cluster`, `e2e` and `test:agent` need
#   scripts/setup.sh kind         and Docker, with what makes the image of kind's nodes
#   scripts/setup.sh all          kernel, vm, cluster and kind
set -eu

DENO_VERSION=2.9.6
# Kubernetes of the cluster rig is built with Go where the official builds cannot be reached.
GO_VERSION_MIN=1.24

say() { printf '%s\n' "$*"; }
refuse() { printf '%s\n' "$*" >&2; exit 2; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif has sudo; then sudo "$@"
  else refuse "Cannot install packages as user $(id -un): run this script as root"; fi
}

# Names of one package in Debian/Ubuntu and in Fedora; "-" where the system has it anyway.
package() { if has apt-get; then echo "$1"; else echo "$2"; fi; }

install_packages() {
  missing=""
  for name in "$@"; do
    [ "$name" = - ] && continue
    if has apt-get; then
      dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing="$missing $name"
    else
      rpm -q "$name" >/dev/null 2>&1 || missing="$missing $name"
    fi
  done
  [ -n "$missing" ] || return 0
  say "Installing packages:$missing"
  if has apt-get; then
    [ -n "${apt_updated:-}" ] || as_root apt-get update -qq
    apt_updated=yes
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
  elif has dnf; then
    # shellcheck disable=SC2086
    as_root dnf install -y -q $missing
  else
    refuse "Cannot install$missing: neither apt-get nor dnf was found; install them by hand"
  fi
}

# Prints the version of a Deno, or nothing.
deno_version() { "$1" --version 2>/dev/null | sed -n '1s/^deno \([0-9.]*\).*/\1/p'; }

setup_deno() {
  if has deno && [ "$(deno_version deno)" = "$DENO_VERSION" ]; then
    say "Deno $DENO_VERSION is there"
    return 0
  fi
  folder=${DENO_INSTALL:-}
  [ -n "$folder" ] || if [ "$(id -u)" = 0 ]; then folder=/usr/local; else folder=$HOME/.deno; fi
  mkdir -p "$folder/bin"
  case $(uname -m) in
    x86_64) target=x86_64 npm=x64 ;;
    aarch64) target=aarch64 npm=arm64 ;;
    *) refuse "Cannot install Deno: there is no build for processor \"$(uname -m)\"; use x86_64 or aarch64" ;;
  esac
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  url="https://github.com/denoland/deno/releases/download/v$DENO_VERSION/deno-$target-unknown-linux-gnu.zip"
  if has curl && has unzip && curl -fsSL --connect-timeout 5 -o "$work/deno.zip" "$url" 2>/dev/null; then
    say "Installing Deno $DENO_VERSION from its release page into $folder/bin"
    unzip -q "$work/deno.zip" -d "$work"
  else
    has npm || install_packages "$(package npm nodejs-npm)"
    say "Installing Deno $DENO_VERSION from the npm package into $folder/bin"
    (cd "$work" && npm pack --silent "@deno/linux-$npm-glibc@$DENO_VERSION" >/dev/null 2>&1) ||
      refuse "Cannot install Deno $DENO_VERSION: neither its release page nor the npm registry answers"
    tar -xzf "$work"/*.tgz -C "$work" --strip-components=1 package/deno
  fi
  chmod 0755 "$work/deno"
  # The new file takes the place of the old one in one step: a running Deno keeps its own.
  cp "$work/deno" "$folder/bin/.deno.part"
  mv "$folder/bin/.deno.part" "$folder/bin/deno"
  [ "$(deno_version "$folder/bin/deno")" = "$DENO_VERSION" ] ||
    refuse "Cannot use $folder/bin/deno: it is not Deno $DENO_VERSION"
  has deno || say "Add it to your PATH: export PATH=$folder/bin:\$PATH"
}

setup_kernel() {
  install_packages "$(package iproute2 iproute)" "$(package iputils-ping iputils)" nftables \
    "$(package util-linux util-linux)" kmod
}

setup_demo() {
  setup_kernel
  install_packages "$(package containernetworking-plugins containernetworking-plugins)"
}

setup_vm() {
  setup_kernel
  install_packages "$(package qemu-system-x86 qemu-system-x86-core)" \
    "$(package busybox-static busybox)" "$(package dpkg dpkg)" "$(package xz-utils xz)" zstd
  # Deno for the other architecture comes by it.
  has npm || install_packages "$(package npm nodejs-npm)"
}

setup_vm_arm64() {
  setup_vm
  install_packages "$(package qemu-system-arm qemu-system-aarch64-core)"
}

go_is_new_enough() {
  for go in go /usr/local/go/bin/go /usr/lib/go/bin/go; do
    has "$go" || continue
    found=$("$go" env GOVERSION | sed 's/^go//')
    lower=$(printf '%s\n%s\n' "$GO_VERSION_MIN" "$found" | sort -V | head -n 1)
    [ "$lower" = "$GO_VERSION_MIN" ] && return 0
  done
  return 1
}

setup_cluster() {
  setup_kernel
  install_packages containerd runc "$(package containernetworking-plugins containernetworking-plugins)" \
    "$(package conntrack conntrack-tools)" "$(package libc-bin glibc-common)" \
    "$(package prometheus golang-github-prometheus)"
  if go_is_new_enough; then return 0; fi
  if has curl && curl -fsSI --connect-timeout 5 https://dl.k8s.io >/dev/null 2>&1; then return 0; fi
  refuse "Cannot build Kubernetes: Go $GO_VERSION_MIN or newer was not found and its official builds \
cannot be reached; install Go from https://go.dev/dl"
}

setup_kind() {
  setup_cluster
  install_packages "$(package docker.io moby-engine)" debootstrap skopeo curl \
    "$(package docker-registry docker-distribution)"
}

[ $# -gt 0 ] || set -- deno
for part in "$@"; do
  case $part in
    deno | demo | kernel | vm | vm-arm64 | cluster | kind | all) ;;
    *) refuse "Unknown part \"$part\": use demo, kernel, vm, vm-arm64, cluster, kind or all" ;;
  esac
done
setup_deno
for part in "$@"; do
  case $part in
    demo) setup_demo ;;
    kernel) setup_kernel ;;
    vm) setup_vm ;;
    vm-arm64) setup_vm_arm64 ;;
    cluster) setup_cluster ;;
    kind) setup_kind ;;
    all) setup_vm; setup_kind ;;
  esac
done
say "Ready: $*"
