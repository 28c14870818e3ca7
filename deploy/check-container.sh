#!/usr/bin/env bash
# Builds the image and runs it as a container engine would, on a machine that has
# none: buildah builds it, namespaces and chroot run it, with a read-only root, as
# the image's user and as process 1. The base image is made of this machine's
# pinned Node and npm; no registry of images is asked.
#   deploy/check-container.sh        needs root, buildah and `npm ci` before it
set -euo pipefail
cd "$(dirname "$0")/.."
node=$PWD/node_modules/node/bin/node
work=$(mktemp -d)
store=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
build_store() { buildah "${store[@]}" "$@"; }
started=()

cleanup() {
  for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  build_store umount --all >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT

step() { echo "container: $* (${SECONDS} s)"; }
fail() { echo "container: FAILED: $*" >&2; [ -f "$work/gateway.log" ] && tail -n 20 "$work/gateway.log" >&2; exit 1; }
# Waits up to $1 tenths of a second for the command that follows.
wait_for() {
  local tries=$1; shift
  for ((i = 0; i < tries; i++)); do "$@" && return 0; sleep 0.1; done
  return 1
}

# ---- the base image: what node:24-slim has of all that the Dockerfile uses

make_base() {
  local root=$work/base tool library
  mkdir -p "$root"/{bin,etc/ssl,usr/bin,usr/local/bin,usr/local/lib/node_modules,lib,lib64,tmp,root,proc,dev,app}
  chmod 1777 "$root/tmp"
  cp "$node" "$root/usr/local/bin/node"
  for tool in sh mkdir env; do cp -L "$(command -v "$tool")" "$root/bin/$tool"; done
  ln -s ../../bin/env "$root/usr/bin/env"
  # Each library stands where the loader looks for it: at its own path.
  for tool in "$node" "$root"/bin/*; do ldd "$tool" | grep -oE '/[^ ]+' | sort -u; done | sort -u |
    while read -r library; do mkdir -p "$root$(dirname "$library")"; cp -L "$library" "$root$library"; done
  # What prebuilt add-ons of npm packages look for besides: the rest of the C library.
  local libc
  libc=$(ldd "$node" | grep -oE '/[^ ]+/libc\.so\.6')
  for library in librt.so.1 libpthread.so.0 libdl.so.2 libutil.so.1 libresolv.so.2; do
    cp -L "$(dirname "$libc")/$library" "$root$(dirname "$libc")/" 2>/dev/null || true
  done
  # npm as this machine has it: its program is npm/bin/npm-cli.js.
  cp -rL "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
  printf 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnode:x:1000:\n' >"$root/etc/group"
  local container
  container=$(build_store from scratch)
  build_store copy --quiet "$container" "$root" / >/dev/null
  build_store config --env PATH=/usr/local/bin:/usr/bin:/bin "$container"
  build_store commit --quiet "$container" localhost/base >/dev/null
  build_store rm "$container" >/dev/null
  rm -rf "$root"
}

# ---- the build, with this machine's way to the npm registry

build_image() {
  local arguments=() ca
  # Settings that have no place in an image: where the registry is, and how it is reached.
  { for name in registry proxy https-proxy noproxy strict-ssl; do
      value=$(npm config get "$name" 2>/dev/null || true)
      case $value in null | undefined | '') ;; *) echo "$name=$value" ;; esac
    done
  } >"$work/npmrc"
  ca=${NODE_EXTRA_CA_CERTS:-$(npm config get cafile)}
  if [ -f "$ca" ]; then
    cp -L "$ca" "$work/ca.pem"
    echo 'cafile=/run/ca.pem' >>"$work/npmrc"
    arguments+=(--volume "$work/ca.pem:/run/ca.pem:ro")
  fi
  build_store bud --isolation chroot --format docker --pull-never \
    --build-arg BASE=localhost/base --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
    --secret id=npmrc,src="$work/npmrc" "${arguments[@]}" \
    -f deploy/Dockerfile -t localhost/model-gateway . >"$work/build.log" 2>&1 ||
    { tail -n 40 "$work/build.log" >&2; fail 'the image does not build'; }
}

# ---- a container of it

# The image's own configuration, as an engine reads it: one line for each item.
image_config() {
  "$node" -e '
    const { Docker } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"))
    const value = process.argv.slice(2).reduce((part, name) => part?.[name], Docker.config)
    for (const line of [value ?? []].flat()) console.log(line)
  ' "$work/image.json" "$@"
}

# Process 1 of new namespaces, the root read-only but for the volumes. Replaces the
# shell that calls it, whose child is then process 1 itself.
run_container() {
  local root=$1; shift
  mkdir -p "$work/data" "$work/spool"
  chown 1000:1000 "$work/data" "$work/spool"
  exec unshare --mount --pid --fork --kill-child --propagation private sh -ec '
    root=$1; data=$2; spool=$3; shift 3
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/dev"
    mknod -m 666 "$root/dev/null" c 1 3
    mknod -m 666 "$root/dev/urandom" c 1 9
    mount --bind "$data" "$root/app/data"
    mount --bind "$spool" "$root/spool"
    mount -o remount,ro,bind "$root"
    exec chroot --userspec=1000:1000 --groups= "$root" "$@"
  ' sh "$root" "$work/data" "$work/spool" env -i -C /app "$@"
}

# A command in the container, as an engine's `exec` starts it.
inside() { nsenter --target "$gateway" --mount --root --wd "$@"; }
first_process() { tr -d ' ' <"/proc/$1/task/$1/children" 2>/dev/null; }
address_in() { grep -oE 'http://127\.0\.0\.1:[0-9]+' "$1" | head -n 1; }

step 'base image'
make_base
step 'build'
build_image

step 'configuration'
build_store inspect --type image localhost/model-gateway >"$work/image.json"
[ "$(image_config User)" = node ] || fail 'the user is not node'
mapfile -t environment < <(image_config Env)
mapfile -t command < <(image_config Cmd)
[ "${command[0]}" = node ] || fail 'CMD is not in exec form'
mapfile -t health < <(image_config Healthcheck Test)
[ "${health[0]}" = CMD ] || fail 'no HEALTHCHECK in exec form'
[ "$(image_config Labels org.opencontainers.image.title)" = model-gateway ] || fail 'no OCI labels'

container=$(build_store from --pull-never localhost/model-gateway)
root=$(build_store mount "$container")
for leftover in node_modules/typescript node_modules/vite test .git .env; do
  [ ! -e "$root/app/$leftover" ] || fail "the image holds $leftover"
done
if [ -f pages/vite.config.ts ]; then
  [ -f "$root/app/pages/dist/studio.html" ] || fail 'the image has no pages'
fi
step "size: $(du -sm "$root/app" | cut -f 1) MB besides the base image"

step 'start'
"$node" --disable-warning=ExperimentalWarning test/fake-inference.ts --port 0 --tokens 20 --tokens-per-second 10 >"$work/service.log" &
started+=($!)
wait_for 100 address_in "$work/service.log" >/dev/null || fail 'the stand-in does not start'
settings=(PORT=0 INFERENCE_SERVICE_URL="$(address_in "$work/service.log")" CATALOG_SOURCE=database SHUTDOWN_GRACE=10)
run_container "$root" "${environment[@]}" "${settings[@]}" "${command[@]}" >"$work/gateway.log" 2>&1 &
engine=$!
started+=("$engine")
port_of_gateway() { grep -oE 'listening at http://[^":]+:[0-9]+' "$work/gateway.log" | head -n 1 | grep -oE '[0-9]+$'; }
wait_for 300 port_of_gateway >/dev/null || fail 'the gateway does not start'
url=http://127.0.0.1:$(port_of_gateway)
gateway=$(first_process "$engine")
# It would outlive its engine: a change of user takes the parent's death signal away.
started+=("$gateway")
grep -qE '^Uid:\s+1000\s+1000' "/proc/$gateway/status" || fail 'the gateway does not run as user 1000'
inside sh -c ': >/app/x' 2>/dev/null && fail 'the root can be written'
inside sh -c ': >/app/data/probe && : >/spool/probe' || fail 'a volume cannot be written'
[ -s "$work/data/catalog.db" ] || fail 'the database is not in the volume'

step '/readyz, HEALTHCHECK, /v1/models'
[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/readyz")" = 200 ] || fail '/readyz is not 200'
inside env -i "${environment[@]}" PORT="${url##*:}" "${health[@]:1}" || fail 'HEALTHCHECK says unhealthy'
inside env -i "${environment[@]}" PORT=1 "${health[@]:1}" 2>"$work/unhealthy.log" && fail 'HEALTHCHECK cannot say unhealthy'
[ ! -s "$work/unhealthy.log" ] || fail 'HEALTHCHECK does not run'
[ "$(curl -s "$url/v1/models" | grep -o '"id"' | wc -l)" = 7 ] || fail '/v1/models does not list the seven models'
# Above 256 KiB a body goes through a file in SPOOL_DIR.
head -c 400000 /dev/zero | tr '\0' 'x' | { printf '{"messages":[{"role":"user","content":"'; cat; printf '"}]}'; } >"$work/large.json"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/v1/chat/completions" -H 'content-type: application/json' --data-binary "@$work/large.json")" = 200 ] || fail 'a large body is not let through'

step 'a streamed chat, SIGTERM in the middle of it'
: >"$work/stream"
curl -sN "$url/v1/chat/completions" -H 'content-type: application/json' -d '{"stream":true,"messages":[]}' >"$work/stream" &
chat=$!
wait_for 100 grep -q '^data: ' "$work/stream" || fail 'no event arrives'
kill -TERM "$gateway"
wait "$chat" || fail 'the stream was cut'
[ "$(grep . "$work/stream" | tail -n 1)" = 'data: [DONE]' ] || fail 'the stream is not whole'
code=0
wait "$engine" || code=$?
[ "$code" = 0 ] || fail "exit code $code after SIGTERM"
step 'passed'
