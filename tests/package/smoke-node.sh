#!/bin/sh
# With the packages in `dist` beside this repository's folders: installs those of this platform without a registry, and uses them.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
platform=$(node -p '
  const musl = process.platform === "linux" && !process.report.getReport().header.glibcVersionRuntime;
  const suffix = { linux: musl ? "-musl" : "-gnu", win32: "-msvc" }[process.platform] ?? "";
  process.platform + "-" + process.arch + suffix')
version=$(node -p 'require(process.argv[1]).version' "$root/node/package.json")
folder=$(mktemp -d)
cd "$folder"
echo '{ "private": true }' >package.json
npm install --offline --no-audit --no-fund \
    "$root/dist/preopen-$version.tgz" "$root/dist/preopen-$platform-$version.tgz" \
    "$root/dist/preopen-cli-$version.tgz" "$root/dist/preopen-cli-$platform-$version.tgz"
node "$root/tests/package/smoke.mjs"
./node_modules/.bin/preopen --version
