#include "lawful/deadlines.h"

#include <algorithm>

#include "lawful/check.h"

namespace holdfast::lawful {
namespace {

constexpr std::int64_t kHourMs = 60LL * 60 * 1000;

std::optional<TimeMs> stage_at(const Matter& matter, const Rule& rule) {
  for (const auto& [stage, at] : matter.stages)
    if (stage == rule.values.front()) return at;
  return std::nullopt;
}

void add_of_rule(std::vector<Deadline>& out, const Matter& matter, const Rule& rule) {
  const auto add = [&](const std::string& what, TimeMs at) {
    out.push_back({matter.n, what, rule.statute, at});
  };
  if (rule.kind == RuleKind::kAnswerWithin && matter.state != State::kProduced)
    add("answer", matter.received_ms + rule.hours * kHourMs);
  if (rule.kind != RuleKind::kReviewWithin && rule.kind != RuleKind::kExpiresAfter) return;
  const auto from = stage_at(matter, rule);
  if (!from) return;
  add(rule.kind == RuleKind::kReviewWithin ? "refer it back for review"
                                           : "it expires unless renewed",
      *from + rule.days * kDayMs);
}

}  // namespace

std::vector<Deadline> deadlines(const Law& law, const Trail& trail, TimeMs now) {
  std::vector<Deadline> out;
  for (const auto& [n, matter] : trail.matters()) {
    if (matter.preserved && matter.preserved->until_ms > now)
      out.push_back({n, "what was preserved goes", "", matter.preserved->until_ms});
    const auto gag = trail.gag_of(matter, now);
    if (gag && *gag != INT64_MAX) out.push_back({n, "the order of silence ends", "", *gag});
    if (!matter.open()) continue;
    if (matter.demand.expires_ms)
      out.push_back({n, "the demand expires", "", *matter.demand.expires_ms});
    const Instrument* const instrument = law.find(matter.demand.instrument);
    if (instrument == nullptr) continue;
    for (const Rule& rule : instrument->rules) add_of_rule(out, matter, rule);
  }
  std::ranges::stable_sort(out, {}, &Deadline::at_ms);
  return out;
}

}  // namespace holdfast::lawful
