#!/bin/sh
# Runs `node "$@"` with a heap that the container has room for. V8 does not count buffers, nor what a driver or the kernel
# holds for sockets: they take the rest. The bound of bytes for requests and replies follows from the heap.
# HEAP_PERCENT (70): the part of the container's memory. NODE_OPTIONS with --max-old-space-size wins.
set -eu

limit_of_container() {
  for file in "${CGROUP:-/sys/fs/cgroup}/memory.max" "${CGROUP:-/sys/fs/cgroup}/memory/memory.limit_in_bytes"; do
    if [ -r "$file" ]; then
      cat "$file"
      return
    fi
  done
  echo max
}

limit=$(limit_of_container)
case "${NODE_OPTIONS:-} $limit" in
  # Without a limit, cgroup 1 says a number of 19 digits.
  *max-old-space-size* | *' max' | *' '???????????????????) exec node "$@" ;;
esac
exec node "--max-old-space-size=$((limit * ${HEAP_PERCENT:-70} / 100 / 1048576))" "$@"
