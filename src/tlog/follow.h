// What everyone checks who follows a log for accounts: a device for its own, a custodian before it
// acts. docs/formats/tlog.md
//
// What is checked comes from the service and is not trusted. Pure.
#pragma once

#include "tlog/audit.h"
#include "tlog/map.h"

namespace holdfast::tlog {

// kUnsafe unless the epoch is the next after number `newest_n`, whose leaf hash is `newest`: none
// is left out.
Result<void> check_epoch_follows(const MapEpoch& epoch, std::uint64_t newest_n,
                                 const std::optional<Digest>& newest);

// The newest epoch that an auditor vouches for, of `newest_n` that there are. kUnsafe: nobody who
// counts signed it, or it is of another map than the newest, whose leaf hash is `newest`.
Result<std::uint64_t> check_audited(const TrustedLog& log, BytesView signed_audit,
                                    std::uint64_t newest_n, const std::optional<Digest>& newest);

// That a series of the map with this root has `next` entries and no more, and that `last` is what
// stands at the last one. `label` gives the place of a number (map_labels.h). kUnsafe: the map has
// something else. kUnavailable: a proof is withheld.
template <class Label>
Result<void> verify_series(const Digest& root, BytesView encoded_proof, std::uint64_t next,
                           const Digest& last, const Label& label) {
  const auto proof = TRY(wire::decode<SeriesProof>(encoded_proof));
  TRY(verify_absent(root, label(next), proof.next));
  if (next == 0) return Ok{};
  if (!proof.last)
    return Error{Code::kUnavailable,
                 "the service does not show all of its log: a proof is missing"};
  return verify_present(root, {label(next - 1), last}, *proof.last);
}

}  // namespace holdfast::tlog
