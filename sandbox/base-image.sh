#!/usr/bin/env bash
# Makes a base image for the sandbox from Debian's packages alone, for machines without a container
# registry. Needs root, debootstrap and a running Docker engine.
#
#   sandbox/base-image.sh [NAME]      NAME defaults to tir-base:bookworm
#   tir sandbox build --base NAME
set -euo pipefail

name=${1:-tir-base:bookworm}
suite=bookworm

say() { printf '%s\n' "$*" >&2; }
stop() { say "error: $1"; say "hint: $2"; exit 1; }

command -v docker >/dev/null || stop "the docker command is not installed" "apt install docker.io"
docker version >/dev/null 2>&1 || stop "no Docker engine answers" "start it: systemctl start docker"
if docker image inspect "$name" >/dev/null 2>&1; then
  say "$name is there already"
  exit 0
fi
command -v debootstrap >/dev/null || stop "debootstrap is not installed" "apt install debootstrap"
[ "$(id -u)" = 0 ] || stop "debootstrap needs root" "sudo $0 $name"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
say "fetching Debian $suite with debootstrap (about a minute)"
if ! debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates \
    "$suite" "$folder/root" >"$folder/log" 2>&1; then
  tail -n 5 "$folder/log" >&2
  stop "debootstrap failed" "see the lines above"
fi
rm -rf "$folder/root/var/cache/apt/archives"/*.deb "$folder/root/var/lib/apt/lists"/*
say "importing it as $name"
tar -C "$folder/root" -c . | docker import - "$name" >/dev/null
say "$name is ready: tir sandbox build --base $name"
