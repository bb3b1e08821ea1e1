#!/usr/bin/env bash
# What was acknowledged survives a power cut: strace shows that the service syncs a pack, its name, the
# folders that lead to it and its row, in this order, before it answers. (What a cut does to the
# database itself: power_cut_test.cpp.)
source "$(dirname "${BASH_SOURCE[0]}")/../cli/common.bash"

# holdfastd keeps its memory from others of its own user, so strace would see no names.
if [[ $(id -u) != 0 ]] || ! strace -f -D -o /dev/null true 2> /dev/null; then
  echo "SKIPPED: needs root, and strace that may trace"
  exit 0
fi
# The service as before, with strace beside it.
mkdir "$work/traced"
ln -s "$holdfast" "$work/traced/holdfast"
cat > "$work/traced/holdfastd" << TRACED
#!/bin/sh
ASAN_OPTIONS=\$ASAN_OPTIONS:detect_leaks=0 exec strace -f -D -y -qq -s 0 -o "$work/trace" \
  -e trace=mkdir,rename,fsync,fdatasync,write,pwrite64,sendto,sendmsg "$bin/holdfastd" "\$@"
TRACED
chmod +x "$work/traced/holdfastd"
bin=$work/traced

in_order() {
  python3 "$(dirname "${BASH_SOURCE[0]}")/order.py" "$work/trace" "$work/service" > "$work/out" ||
    fail "what was acknowledged may be lost"
  cat "$work/out"
}
new_tree() {
  mkdir "$work/$1"
  for i in 1 2 3 4 5 6; do head -c 9000000 /dev/urandom > "$work/$1/$i"; done
}

start_service --signup open
expect 0 "$holdfast" init --advanced --home "$work/laptop" --server "$server" "${pin[@]}" \
  --unattended --account me --device-name laptop --recovery-key-file "$work/paper"
admit desk laptop
new_tree a
new_tree b
on desk backup "$work/a" > /dev/null 2>&1 &
waiting=$!
expect 0 on laptop backup "$work/b"
wait "$waiting" || fail "two backups at once"
waiting=''
kill -9 "$service"
wait "$service" 2> /dev/null || true
in_order

# --- after a kill the folders are there, and who made them may not have synced them
start_service --signup open
for round in 1 2 3; do
  new_tree "c$round"
  expect 0 on laptop backup "$work/c$round"
done
kill -TERM "$service"
wait "$service" || fail "holdfastd did not stop well: $(cat "$work/serve.err")"
service=''
in_order
