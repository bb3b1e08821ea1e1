// How long an entry has stood in the map of accounts: what a rule that waits is judged by.
//
// The evidence comes from whoever made a statement, and from the service before that. Neither is
// trusted: with fewer liars among the witnesses than the quorum it proves less time than has
// passed, never more (docs/decisions/0010-proven-time.md). Whoever withholds the older checkpoint
// makes the entry look younger. Pure: the same evidence is judged alike by everyone and for ever.
#pragma once

#include "tlog/checkpoint.h"
#include "tlog/format.h"

namespace holdfast::tlog {

struct ProvenAge {
  std::uint64_t since_s = 0;  // the latest of the quorum's times at the start
  std::uint64_t until_s = 0;  // the earliest of the quorum's times at the end

  std::uint64_t age_s() const { return until_s - since_s; }
};

// kUnsafe unless it proves that the entry stood in this log's map, and at what times. Where nobody
// witnesses the log, nothing does.
Result<ProvenAge> verify_age(const TrustedLog& log, const MapEntry& entry, BytesView evidence);

// kUnsafe, in words, unless it stood that long.
Result<void> check_age(const TrustedLog& log, const MapEntry& entry, BytesView evidence,
                       std::uint64_t age_s);

}  // namespace holdfast::tlog
