// What a service offers in each region, as its operator says in a signed policy: the rules in
// tlog::Policy::rules. docs/formats/policy.md has the CDDL and an example.
//
// Pure. A policy gates what the service takes and says what is to come; it changes no circle and
// reads nothing. Whoever holds the policy key can refuse or announce, never lower a level.
#pragma once

#include <optional>
#include <string>

#include "wire/fields.h"

namespace holdfast::circle {

constexpr std::size_t kMaxRules = 24 * 1024;
constexpr std::size_t kMaxNote = 1024;
constexpr std::size_t kMaxNamedRegions = 64;
constexpr std::uint8_t kMaxOpenDays = 90;

// Whether the advanced level may be turned on.
enum class Offer : std::uint8_t { kOffered = 1, kWithdrawn, kLast = kWithdrawn };

// As in "1.4.0"; 0.0.0 asks for nothing.
struct ClientVersion {
  std::uint16_t major = 0;
  std::uint16_t minor = 0;
  std::uint16_t patch = 0;
  static constexpr auto kFields =
      wire::fields(&ClientVersion::major, &ClientVersion::minor, &ClientVersion::patch);
  auto operator<=>(const ClientVersion&) const = default;
};
std::string format(const ClientVersion& version);
// kInvalid: not three numbers below 65536, spelled as format() does.
Result<ClientVersion> parse_version(std::string_view text);

struct Terms {
  Offer enable = Offer::kOffered;
  // Who is at the advanced level must have left it by then; none: keeps it. Only where the offer is
  // withdrawn, as nobody could turn on what they must leave.
  std::optional<std::uint64_t> leave_by_s;
  ClientVersion oldest_client;  // told to older ones
  std::uint8_t open_days = 0;   // until what the custodian released is opened to the account
  std::string note;             // to the people it is for; may be empty
  static constexpr auto kFields = wire::fields(
      &Terms::enable, &Terms::leave_by_s, &Terms::oldest_client, &Terms::open_days, &Terms::note);
  bool operator==(const Terms&) const = default;
};

struct RegionTerms {
  std::string region;  // two capital letters
  Terms terms;
  static constexpr auto kFields = wire::fields(&RegionTerms::region, &RegionTerms::terms);
  bool operator==(const RegionTerms&) const = default;
};

struct RegionRules {
  wire::Fixed<"holdfast/v1/region-rules"> label;
  Terms others;                                          // of every region that is not named
  wire::Bounded<RegionTerms, kMaxNamedRegions> regions;  // strictly ascending
  static constexpr auto kFields =
      wire::fields(&RegionRules::label, &RegionRules::others, &RegionRules::regions);
  bool operator==(const RegionRules&) const = default;
};

// Two capital letters.
bool is_region(std::string_view region);

// kInvalid, with what is wrong: a rule that decode_rules() would refuse.
Result<void> check_rules(const RegionRules& rules);
// kCorrupt: not rules, or rules that contradict themselves. kOutdated: of another version.
Result<RegionRules> decode_rules(BytesView bytes);

const Terms& terms_of(const RegionRules& rules, std::string_view region);

// What holds in a region at a moment.
struct Standing {
  Terms terms;
  bool may_enable = true;
  bool leaving = false;  // a day to leave by is named
  bool paused = false;   // and has come: nothing new is kept at the advanced level
  bool operator==(const Standing&) const = default;
};
// `rules`: of the policy in effect; nullptr: none was published, so all is offered.
Standing judge(const RegionRules* rules, std::string_view region, std::uint64_t now_s);

// ---- in words, the same wherever somebody is told ----

std::string spell_time(std::uint64_t seconds);  // "2026-11-24 10:30 UTC"
std::string describe(const Terms& terms);       // one sentence, without the note
// Why turning the advanced level on is refused, and why something new is not kept. `version`: of
// the policy.
Error not_offered(std::string_view region, std::uint64_t version);
Error paused(std::string_view region, std::uint64_t version, const Standing& standing);

}  // namespace holdfast::circle
