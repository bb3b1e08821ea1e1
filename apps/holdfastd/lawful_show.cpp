// What changes nothing: list, deadlines, verify.
#include <cstdio>
#include <map>

#include "lawful.h"
#include "lawful/deadlines.h"
#include "operate.h"
#include "server/lawful_store.h"

namespace holdfast::daemon {
namespace {

Json json_of(const lawful::Trail& trail, const lawful::Matter& matter, TimeMs now) {
  const auto gag = trail.gag_of(matter, now);
  Json out{{"event", "matter"},
           {"matter", matter.n},
           {"state", std::string(name_of(matter.state))},
           {"reference", matter.demand.reference},
           {"instrument", matter.demand.instrument},
           {"issuer", matter.demand.issuer},
           {"account", matter.demand.target.account},
           {"received_ms", matter.received_ms},
           {"approvals", matter.approvers.size()},
           {"gagged", gag.has_value()},
           {"preserved", matter.preserved.has_value()},
           {"content_produced", matter.content_produced()}};
  if (gag && *gag != INT64_MAX) out["gag_until_ms"] = *gag;
  if (!matter.stages.empty()) out["stage"] = matter.stages.back().first;
  return out;
}

void print_matter(const lawful::Trail& trail, const lawful::Matter& matter, TimeMs now) {
  std::printf("%3llu  %-10s  %-24s  %-20s  %s%s%s\n", static_cast<unsigned long long>(matter.n),
              std::string(name_of(matter.state)).c_str(), matter.demand.reference.c_str(),
              matter.demand.instrument.c_str(),
              matter.demand.target.account.empty() ? "-" : matter.demand.target.account.c_str(),
              matter.stages.empty() ? "" : ("  stage: " + matter.stages.back().first).c_str(),
              trail.gag_of(matter, now) ? "  SECRET" : "");
}

// Each entry of the public log must be opened by what is kept here, and be of this trail.
Result<std::uint64_t> verify_heads(const Json& answer, const lawful::Trail& trail) {
  std::map<std::string, lawful::HeadOpening> known;
  for (const Json& one : answer.at("openings")) {
    const auto bytes = from_hex(one.is_string() ? one.get<std::string>() : "-");
    if (!bytes) return misread();
    known[server::head_commitment(*bytes).hex()] = TRY(wire::decode<lawful::HeadOpening>(*bytes));
  }
  std::uint64_t bound = 0;
  for (const Json& head : answer.at("heads")) {
    const auto found = known.find(head.value("commitment", ""));
    const auto day = head.value("day", std::uint64_t{0});
    const std::string date = lawful::day_of(static_cast<TimeMs>(day) * lawful::kDayMs);
    if (found == known.end() || found->second.day != day)
      return Error{Code::kUnsafe, "the public log has an entry of " + date +
                                      " that nothing here opens: the trail was replaced"};
    const lawful::HeadOpening& said = found->second;
    const Digest there =
        said.n == 0 || said.n > trail.n() ? Digest() : trail.acts()[said.n - 1].head;
    if (said.n > trail.n() || there != said.head)
      return Error{Code::kUnsafe,
                   "on " + date + " the trail had " + std::to_string(said.n) +
                       " entries, as the public log shows, and those here are others"};
    ++bound;
  }
  return bound;
}

}  // namespace

Result<void> lawful_list(const Options& options, const LawfulOptions& given) {
  const Desk desk = TRY(open_desk(options, given));
  const TimeMs now = SystemClock().now();
  for (const auto& [n, matter] : desk.trail.matters()) {
    if (options.json) {
      print_line(json_of(desk.trail, matter, now));
    } else {
      print_matter(desk.trail, matter, now);
    }
  }
  if (options.json) {
    print_line({{"event", "summary"},
                {"ok", true},
                {"matters", desk.trail.matters().size()},
                {"entries", desk.trail.n()},
                {"instruments", desk.law.instruments().size()}});
  } else if (desk.trail.n() == 0) {
    std::puts("No demand was ever received here.");
  }
  return Ok{};
}

Result<void> lawful_deadlines(const Options& options, const LawfulOptions& given) {
  const Desk desk = TRY(open_desk(options, given));
  const TimeMs now = SystemClock().now();
  const auto all = lawful::deadlines(desk.law, desk.trail, now);
  for (const lawful::Deadline& one : all) {
    if (options.json) {
      print_line({{"event", "deadline"},
                  {"matter", one.matter},
                  {"what", one.what},
                  {"statute", one.statute},
                  {"at_ms", one.at_ms},
                  {"over", one.at_ms <= now}});
    } else {
      std::printf("%s  matter %llu: %s%s%s\n", minute_of(one.at_ms).c_str(),
                  static_cast<unsigned long long>(one.matter), one.what.c_str(),
                  one.statute.empty() ? "" : (" [" + one.statute + "]").c_str(),
                  one.at_ms <= now ? "  OVER" : "");
    }
  }
  if (options.json) {
    print_line({{"event", "summary"}, {"ok", true}, {"deadlines", all.size()}});
  } else if (all.empty()) {
    std::puts("Nothing is due.");
  }
  return Ok{};
}

Result<void> lawful_verify(const Options& options, const LawfulOptions& given) {
  const Desk desk = TRY(open_desk(options, given));
  const Json answer = TRY(ask_json(options, {{"act", "lawful_trail"}, {"heads", true}}));
  if (!answer.contains("openings") || !answer.contains("heads")) return misread();
  const std::uint64_t bound = TRY(verify_heads(answer, desk.trail));
  const bool logged = answer.value("log", false);
  if (options.json) {
    print_line({{"event", "verified"},
                {"ok", true},
                {"entries", desk.trail.n()},
                {"matters", desk.trail.matters().size()},
                {"head", desk.trail.head().hex()},
                {"log", logged},
                {"bound", bound}});
    return Ok{};
  }
  std::printf("The trail is whole: %llu entries of %zu matters, head %s\n",
              static_cast<unsigned long long>(desk.trail.n()), desk.trail.matters().size(),
              desk.trail.head().hex().c_str());
  if (logged) {
    std::printf("The public log binds it on %llu days, and each is of this trail.\n",
                static_cast<unsigned long long>(bound));
  } else {
    std::puts(
        "No public log was asked: whether the newest entries were taken away, nothing shows.");
  }
  return Ok{};
}

}  // namespace holdfast::daemon
