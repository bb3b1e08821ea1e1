#!/usr/bin/env bash
# holdfast-vectors: what its exit code says.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"

vectors=$bin/holdfast-vectors
published=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../vectors/crypto/c2sp_chunked_encryption_small.json")

expect 0 "$vectors" "$published"
says "27 passed, 0 failed"
expect 0 "$vectors" --json "$published"
says '"passed": 27'

# RFC 4231's second case with the last digit of its tag changed.
cat > "$work/wrong.json" << 'JSON'
{"algorithm": "HMACSHA256", "testGroups": [{"type": "MacTest", "keySize": 32, "tagSize": 256, "tests": [
  {"tcId": 2, "comment": "", "key": "4a656665",
   "msg": "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
   "tag": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3844", "result": "valid"}]}]}
JSON
expect 1 "$vectors" "$work/wrong.json"
says "FAILED test 2"
expect 1 "$vectors" "$published" "$work/wrong.json"
says "total: 27 passed, 1 failed"

echo '{"testGroups": []}' > "$work/empty.json"
expect 1 "$vectors" "$work/empty.json"
says "nothing ran"
expect 0 "$vectors" "$work/empty.json" "$published"

sed 's/HMACSHA256/HMACSHA512/' "$work/wrong.json" > "$work/unsupported.json"
expect 1 "$vectors" "$work/unsupported.json"
says "1 groups, 1 tests: HMACSHA512"

echo nonsense > "$work/nonsense.json"
for bad in nonsense.json absent.json .; do
  expect 2 "$vectors" "$work/$bad" "$published"
  says "total: 27 passed"
done
expect 2 "$vectors"
expect 2 "$vectors" --nonsense "$published"
expect 0 "$vectors" --help
