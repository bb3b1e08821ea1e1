#include "circle/policy.h"

#include <algorithm>
#include <charconv>
#include <ctime>

namespace holdfast::circle {
namespace {

// Lines of text: no control character but the line feed between two lines. U+0080 to U+009F are in
// UTF-8 c2 and that byte; a terminal may obey them as well.
Result<void> check_note(const std::string& note) {
  if (note.size() > kMaxNote)
    return Error{Code::kInvalid, "a note has at most " + std::to_string(kMaxNote) + " bytes"};
  if (!wire::is_utf8(as_bytes(note))) return Error{Code::kInvalid, "a note is not UTF-8"};
  unsigned char before = '\n';
  for (const char c : note) {
    const auto b = static_cast<unsigned char>(c);
    const bool control = b < 0x20 || b == 0x7f || (before == 0xc2 && b < 0xa0);
    if (control && (b != '\n' || before == '\n'))
      return Error{Code::kInvalid, "a note has a control character, or an empty line"};
    before = b;
  }
  if (!note.empty() && before == '\n') return Error{Code::kInvalid, "a note ends with a line feed"};
  return Ok{};
}

Result<void> check_terms(const Terms& terms) {
  if (terms.leave_by_s && terms.enable != Offer::kWithdrawn)
    return Error{Code::kInvalid, "nobody must leave what is offered to them"};
  // The 53 bits of a whole number in JSON, and far beyond any date.
  if (terms.leave_by_s && *terms.leave_by_s >> 53 != 0)
    return Error{Code::kInvalid, "the day to leave by is none"};
  if (terms.open_days > kMaxOpenDays)
    return Error{Code::kInvalid, "a release is opened within 90 days"};
  return check_note(terms.note);
}

}  // namespace

std::string format(const ClientVersion& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.patch);
}

Result<ClientVersion> parse_version(std::string_view text) {
  ClientVersion version;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::uint16_t* const part : {&version.major, &version.minor, &version.patch}) {
    if (part != &version.major && at != end && *at == '.') ++at;
    at = std::from_chars(at, end, *part).ptr;
  }
  // The one spelling: nothing left out, added or padded.
  if (at == end && format(version) == text) return version;
  return Error{Code::kInvalid, "a version has three numbers, as in 1.4.0"};
}

bool is_region(std::string_view region) {
  return region.size() == 2 &&
         std::all_of(region.begin(), region.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

Result<void> check_rules(const RegionRules& rules) {
  if (auto others = check_terms(rules.others); !others.ok())
    return std::move(others).error().in("the rules of all other regions");
  if (rules.regions.size() > kMaxNamedRegions)
    return Error{Code::kInvalid, "64 regions are named at most"};
  const std::string* before = nullptr;
  for (const RegionTerms& one : rules.regions) {
    if (!is_region(one.region)) return Error{Code::kInvalid, "a region is not two capital letters"};
    if (before != nullptr && *before >= one.region)
      return Error{Code::kInvalid, "the regions are not in order, or one is named twice"};
    before = &one.region;
    if (auto terms = check_terms(one.terms); !terms.ok())
      return std::move(terms).error().in("the rules of " + one.region);
  }
  if (wire::encode(rules).size() > kMaxRules)
    return Error{Code::kInvalid, "the rules are too long: shorten the notes"};
  return Ok{};
}

Result<RegionRules> decode_rules(BytesView bytes) {
  if (bytes.size() > kMaxRules) return Error{Code::kCorrupt, "the rules of a policy are too long"};
  auto rules = TRY(wire::decode<RegionRules>(bytes));
  if (const auto good = check_rules(rules); !good.ok())
    return Error{Code::kCorrupt, good.error().message};
  return rules;
}

const Terms& terms_of(const RegionRules& rules, std::string_view region) {
  for (const RegionTerms& one : rules.regions)
    if (one.region == region) return one.terms;
  return rules.others;
}

Standing judge(const RegionRules* rules, std::string_view region, std::uint64_t now_s) {
  Standing standing;
  if (rules == nullptr) return standing;
  standing.terms = terms_of(*rules, region);
  standing.may_enable = standing.terms.enable == Offer::kOffered;
  standing.leaving = standing.terms.leave_by_s.has_value();
  standing.paused = standing.leaving && now_s >= *standing.terms.leave_by_s;
  return standing;
}

std::string spell_time(std::uint64_t seconds) {
  const auto at = static_cast<std::time_t>(seconds);
  std::tm parts{};
  char text[64] = "";
  if (::gmtime_r(&at, &parts) == nullptr ||
      std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts) == 0)
    return "no known time";
  return text;
}

std::string describe(const Terms& terms) {
  if (terms.enable == Offer::kOffered) return "The advanced level is offered.";
  const std::string withdrawn = "The advanced level cannot be turned on; whoever has it ";
  if (!terms.leave_by_s) return withdrawn + "keeps it, and nobody but their devices can lower it.";
  return withdrawn + "must leave it by " + spell_time(*terms.leave_by_s) +
         ": from then on the service keeps nothing new at that level, and restore, export and "
         "deletion go on. Nobody but their devices can lower it.";
}

Error not_offered(std::string_view region, std::uint64_t version) {
  return {Code::kDenied, "the advanced level is not offered in region " + std::string(region) +
                             ", says version " + std::to_string(version) +
                             " of the service's policy; nothing was changed"};
}

Error paused(std::string_view region, std::uint64_t version, const Standing& standing) {
  return {Code::kDenied,
          "nothing new is kept: accounts at the advanced level in region " + std::string(region) +
              " had to leave it by " + spell_time(standing.terms.leave_by_s.value_or(0)) +
              ", says version " + std::to_string(version) +
              " of the service's policy. What is there stays yours alone, and restore, export and "
              "deletion go on"};
}

}  // namespace holdfast::circle
