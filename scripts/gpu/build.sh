#!/usr/bin/env bash
# Builds unmask against the LibTorch inside python3's torch, on a machine without a package registry:
#
#   scripts/gpu/build.sh DEPS BUILD [cmake arguments...]
#
# DEPS is a folder of Debian packages (scripts/gpu/fetch_deps.sh makes it elsewhere), which are unpacked below
# BUILD/deps and not installed. Leaves BUILD/environment.sh, to be sourced before the programs are run. TARGETS names what
# to build (default: everything); a file that does not compile does not stop the others.
set -euo pipefail
usage='usage: scripts/gpu/build.sh DEPS BUILD [cmake arguments...]'
deps=$(cd "${1:?$usage}" && pwd)
build=${2:?$usage}
shift 2
cd "$(dirname "$0")/../.."
mkdir -p "$build"
build=$(cd "$build" && pwd)

root=$build/deps
lib=$root/usr/lib/$(uname -m)-linux-gnu
if [ ! -d "$lib" ]; then
  for package in "$deps"/*.deb; do dpkg -x "$package" "$root"; done
fi
torch=$(python3 -c 'import torch; print(torch.utils.cmake_prefix_path)')
torch_lib=$(cd "$torch/../../lib" && pwd)
cat >"$build/environment.sh" <<EOF
export LD_LIBRARY_PATH=$lib:$torch_lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
EOF
. "$build/environment.sh"

# Named one by one: the machine may have other versions without headers, and the link to zlib leads out of DEPS.
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$torch;$root/usr;$lib/cmake" \
  -DCMAKE_INCLUDE_PATH="$root/usr/include" -DCMAKE_LIBRARY_PATH="$lib" \
  -DBoost_ROOT="$root/usr" -DSQLite3_ROOT="$root/usr" -DOPENSSL_ROOT_DIR="$root/usr" \
  -DOPENSSL_CRYPTO_LIBRARY="$lib/libcrypto.so" -DOPENSSL_INCLUDE_DIR="$root/usr/include" \
  -DPNG_PNG_INCLUDE_DIR="$root/usr/include" -DPNG_LIBRARY_RELEASE="$lib/libpng.so" \
  -DJPEG_INCLUDE_DIR="$root/usr/include" -DJPEG_LIBRARY_RELEASE="$lib/libjpeg.so" \
  -DZLIB_INCLUDE_DIR="$root/usr/include" -DZLIB_LIBRARY_RELEASE="$(echo "$root"/lib/*/libz.so.1)" \
  --log-level=WARNING "$@"
read -ra targets <<<"${TARGETS:-all}"
ninja -C "$build" -k 0 "${targets[@]}"
