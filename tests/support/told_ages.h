// Ages as a test says them, where a log would prove them. Test-only.
#pragma once

#include "support/circle_maker.h"

namespace holdfast::testkit {

// Stands for the log: evidence says which statement it is of, and how old that is.
class ToldAges final : public cc::Ages {
 public:
  static Bytes of(const cc::Circle& circle, std::uint64_t seq, std::int64_t age_ms) {
    return wire::encode_array(seq, circle.head_at(seq), age_ms);
  }
  Result<void> check(BytesView evidence, std::uint64_t seq, const Digest& head,
                     std::int64_t age_ms) const override {
    for (std::int64_t days = 0; days <= 10; ++days) {
      const std::int64_t told = days * 24 * 60 * 60 * 1000;
      const Bytes good = wire::encode_array(seq, head, told);
      if (std::ranges::equal(good, evidence) && told >= age_ms) return Ok{};
    }
    return Error{Code::kUnsafe, "it is not old enough"};
  }
};

}  // namespace holdfast::testkit
