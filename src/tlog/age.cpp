#include "tlog/age.h"

#include <algorithm>

#include "tlog/map.h"

namespace holdfast::tlog {
namespace {

Error unproven(const std::string& why) {
  return {Code::kUnsafe, "how long a statement has stood is not proven: " + why};
}

// Whatever is wrong with it, it proves nothing.
template <class T>
Result<T> needed(Result<T> part, const std::string& what) {
  if (part.ok()) return part;
  return unproven(what + part.error().message);
}

std::string spell(std::uint64_t seconds) {
  const std::uint64_t minutes = seconds / 60;
  return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

Result<ProvenAge> between(const Checkpoint& start, const Checkpoint& end) {
  if (end.head().size < start.head().size) return unproven("its end is older than its start");
  ProvenAge age{start.time()->existed_by, end.time()->current_at};
  // Signed at about one time: then it is not sure that any has passed.
  age.until_s = std::max(age.since_s, age.until_s);
  return age;
}

}  // namespace

Result<ProvenAge> verify_age(const TrustedLog& log, const MapEntry& entry, BytesView bytes) {
  if (log.quorum() == 0) return unproven("nobody outside witnesses this log");
  if (bytes.size() > kMaxAgeEvidence) return unproven("the evidence is too large");
  const auto evidence = TRY(needed(wire::decode<AgeEvidence>(bytes), ""));
  const auto start = TRY(needed(Checkpoint::verify(log, evidence.start), "at its start, "));
  const auto end = TRY(needed(Checkpoint::verify(log, evidence.end), "at its end, "));
  const auto epoch = TRY(needed(wire::decode<MapEpoch>(evidence.epoch), ""));
  const Digest leaf = leaf_hash(evidence.epoch);
  const auto within = [&](const Checkpoint& checkpoint, const wire::Bounded<Digest, 63>& proof) {
    return verify_inclusion(checkpoint.head(), evidence.index, leaf,
                            Proof(proof.begin(), proof.end()));
  };
  TRY(needed(within(start, evidence.in_start), "at its start, "));
  TRY(needed(within(end, evidence.in_end), "at its end, "));
  TRY(needed(verify_present(epoch.root, entry, evidence.proof), ""));
  return between(start, end);
}

Result<void> check_age(const TrustedLog& log, const MapEntry& entry, BytesView evidence,
                       std::uint64_t age_s) {
  const ProvenAge proven = TRY(verify_age(log, entry, evidence));
  if (proven.age_s() >= age_s) return Ok{};
  return Error{Code::kUnsafe, "a statement has stood in the log for " + spell(proven.age_s()) +
                                  " by its witnesses' word, and must for " + spell(age_s)};
}

}  // namespace holdfast::tlog
