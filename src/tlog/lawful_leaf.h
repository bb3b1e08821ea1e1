// Entries of the log about lawful demands. docs/formats/tlog.md.
#pragma once

#include <string>

#include "base/id.h"
#include "wire/fields.h"

namespace holdfast::tlog {

// What binds an operator to its trail of lawful demands (docs/formats/lawful.md): one a day, made
// anew whether anything happened or not, so that nobody outside learns from it.
struct LawfulHead {
  wire::Fixed<"holdfast/v1/leaf/lawful-head"> label;
  std::uint64_t day = 0;  // since 1970
  Digest commitment;
  static constexpr auto kFields =
      wire::fields(&LawfulHead::label, &LawfulHead::day, &LawfulHead::commitment);
};

// The half-yearly report about lawful demands, as it was published.
struct LawfulReport {
  wire::Fixed<"holdfast/v1/leaf/lawful-report"> label;
  std::string period;  // "2026H2"
  Digest report;       // SHA-256 of its report.json
  static constexpr auto kFields =
      wire::fields(&LawfulReport::label, &LawfulReport::period, &LawfulReport::report);
};

}  // namespace holdfast::tlog
