// Instruments as data: each file of `jurisdictions` says what may be demanded where, by whom, under
// which statute. What a rule means is decided in check.h; no country is known to the code.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "lawful/format.h"

namespace holdfast::lawful {

constexpr std::size_t kMaxLawFile = 256 * 1024;

enum class RuleKind {
  kIssuer,        // values: roles that may issue it
  kAttests,       // values: what the demand must say was shown or approved
  kReaches,       // values: classes of data
  kPersonNot,     // values: statuses that may not be targeted
  kPlaceNot,      // values: regions where nobody may be targeted
  kPlaceOnly,     // values: regions where the target must be
  kValidFor,      // days from its date within which it must be served
  kAnswerWithin,  // hours from receipt
  kPreserveFor,   // days; renewable by another demand
  kGag,           // silence may be ordered; days: at most so long (0: no limit)
  kReviewWithin,  // days from the stage in `values` within which it may be referred back
  kExpiresAfter,  // days from the stage in `values`
  kStages,        // values: stages of a capability notice, in order
  kNote           // says something to who reads it
};

struct Rule {
  RuleKind kind{};
  std::string name;     // as the file spells the kind
  std::string statute;  // never empty
  std::string text;     // never empty: one sentence for a person
  std::vector<std::string> values;
  std::int64_t days = 0;
  std::int64_t hours = 0;
};

// Of the half-yearly report.
enum class Table { kAccount, kPreservation, kRestriction, kEmergency, kNationalSecurity };

struct Instrument {
  std::string id;
  std::string name;
  Kind kind{};
  Table table{};
  std::uint64_t band = 0;  // 250 or 500: the law lets only bands be told; 0: numbers
  bool in_force = true;    // false: a bill
  std::string country;     // of its jurisdiction
  std::string country_name;
  Digest law;  // SHA-256 of the file
  std::vector<Rule> rules;

  // nullptr.
  const Rule* rule(RuleKind kind) const;
};

// Reads one file. kInvalid with the line: a name that means nothing, a rule without its statute, a
// value that no rule of that kind has.
Result<std::vector<Instrument>> read_jurisdiction(BytesView text);

class Law {
 public:
  // kInvalid: two instruments have one id.
  static Result<Law> make(std::vector<std::vector<Instrument>> jurisdictions);
  const std::vector<Instrument>& instruments() const { return instruments_; }
  const Instrument* find(std::string_view id) const;  // nullptr

 private:
  std::vector<Instrument> instruments_;
};

std::string_view name_of(Kind kind);
std::string_view name_of(DataClass data);
std::string_view name_of(Outcome outcome);
std::string_view name_of(Step step);
std::optional<DataClass> class_named(std::string_view name);

}  // namespace holdfast::lawful
