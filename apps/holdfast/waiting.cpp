#include "waiting.h"

#include <algorithm>

namespace holdfast::app {
namespace {

std::string_view event_of(Waits what) {
  switch (what) {
    case Waits::kRecovery: return "recovery_waits";
    case Waits::kStandard: return "standard_waits";
    case Waits::kHelp: return "help_waits";
  }
  return "";
}

std::string warning(const vault::Account& account, const Waiting& one) {
  const std::string what = describe(account, one);
  const std::string proposer = printable(proposer_of(account, one));
  switch (one.what) {
    case Waits::kRecovery:
      return "ATTENTION: a new recovery key waits to replace the account's: " + what +
             ".\nIf that was not you, somebody has that device: holdfast recovery cancel, then "
             "holdfast devices remove " +
             proposer;
    case Waits::kStandard:
      return "ATTENTION: the account waits to go back to the standard level, where the provider's "
             "custodian can read it: " +
             what +
             ".\nIf that was not you, somebody has that device: holdfast protection cancel, then "
             "holdfast devices remove " +
             proposer;
    case Waits::kHelp:
      return "ATTENTION: somebody told the operators to be you without any device, and waits to "
             "read this account's standard vaults as \"" +
             printable(one.name) + "\": " + what +
             ".\nIf that was not you: holdfast protection cancel. You have this device, so nobody "
             "needs that help.";
  }
  return what;
}

}  // namespace

std::string proposer_of(const vault::Account& account, const Waiting& waiting) {
  if (waiting.what == Waits::kHelp) return "the provider's custodian";
  const circle::Device* const device = account.circle().device(waiting.proposer);
  return device == nullptr ? "?" : device->info.name;
}

// By what witnesses have proven so far; their times are fresh to the hour.
bool is_due(const Waiting& waiting) {
  return waiting.stood &&
         static_cast<std::int64_t>(waiting.stood->age_s()) * 1000 >= circle::kProposalAgeMs;
}

std::string describe(const vault::Account& account, const Waiting& waiting) {
  std::string when = "the log does not show it yet: its three days have not begun";
  if (const auto due = waiting.due_ms())
    when = "it may be completed from " + human_time(*due) + " on";
  if (is_due(waiting)) when = "it may be completed now";
  return "number " + std::to_string(waiting.number) + ", proposed by " +
         printable(proposer_of(account, waiting)) +
         (waiting.proposer == account.self().id ? " (this device)" : "") + " on " +
         human_time(waiting.proposed_ms) + " by its clock; " + when;
}

void report(const vault::Account& account, const Waiting& waiting, Console& console) {
  JsonObject object(event_of(waiting.what));
  object.number("number", waiting.number)
      .text("proposer", proposer_of(account, waiting))
      .integer("proposed_ms", waiting.proposed_ms)
      .flag("this_device", waiting.proposer == account.self().id)
      .flag("due", is_due(waiting));
  if (waiting.what == Waits::kHelp) object.text("name", waiting.name);
  if (waiting.stood)
    object.integer("since_ms", static_cast<std::int64_t>(waiting.stood->since_s) * 1000);
  if (const auto due = waiting.due_ms()) object.integer("due_ms", *due);
  console.event(object);
}

Result<std::vector<Waiting>> chosen(vault::Account& account, const std::vector<Waits>& sorts,
                                    std::uint64_t number, const std::string& none) {
  std::vector<Waiting> all = TRY(account.waiting());
  std::erase_if(all, [&](const Waiting& one) {
    return std::ranges::find(sorts, one.what) == sorts.end() ||
           (number != 0 && one.number != number);
  });
  if (all.empty()) return Error{Code::kNotFound, none};
  return all;
}

Result<Waiting> only(std::vector<Waiting> waiting) {
  if (waiting.size() > 1)
    return Error{Code::kInvalid, "Several wait: say which by its number, as show lists them."};
  return std::move(waiting.front());
}

Result<void> tell_waiting(vault::Account& account, Console& console) {
  for (const Waiting& one : TRY(account.waiting())) {
    report(account, one, console);
    console.warn(warning(account, one));
  }
  return Ok{};
}

}  // namespace holdfast::app
