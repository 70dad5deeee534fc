#!/usr/bin/env bash
# Get the Debian packages the tests use, where they are missing and we may.
set -euo pipefail
cd "$(dirname "$0")/.."
missing=() servers=()
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
command -v chromium >/dev/null || missing+=(chromium)
# These are only unpacked, below .cache: installed, they would run as services.
for program in nginx:nginx caddy:caddy tinyproxy:tinyproxy-bin; do
    compgen -G ".cache/servers/usr/*bin/${program%:*}" >/dev/null || servers+=("${program#*:}")
done
[ $((${#missing[@]} + ${#servers[@]})) -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "The tests need Debian's ${missing[*]} ${servers[*]}; run 'bash tests/system.sh' as root." >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
[ ${#missing[@]} -eq 0 ] || apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
[ ${#servers[@]} -eq 0 ] && exit 0
draft=$(mktemp -d)
trap 'rm -rf "$draft"' EXIT
chmod 755 "$draft"
(cd "$draft" && apt-get download -qq -o APT::Sandbox::User=root "${servers[@]}")
mkdir -p .cache/servers
for package in "$draft"/*.deb; do dpkg-deb --extract "$package" .cache/servers; done
