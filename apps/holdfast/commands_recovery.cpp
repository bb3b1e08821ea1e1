#include "commands.h"
#include "opening.h"

namespace holdfast::app {
namespace {

using WaitingKey = vault::Account::WaitingKey;

std::string proposer_of(const vault::Account& account, const WaitingKey& key) {
  const circle::Device* const device = account.circle().device(key.proposer);
  return device == nullptr ? "?" : device->info.name;
}

// By what witnesses have proven so far; their times are fresh to the hour.
bool is_due(const WaitingKey& key) {
  return key.stood &&
         static_cast<std::int64_t>(key.stood->age_s()) * 1000 >= circle::kProposalAgeMs;
}

std::string when_due(const WaitingKey& key) {
  if (is_due(key)) return "it may be completed now";
  if (const auto due = key.due_ms()) return "it may be completed from " + human_time(*due) + " on";
  return "the log does not show it yet: its three days have not begun";
}

void report(const vault::Account& account, const WaitingKey& key, Console& console) {
  JsonObject object("recovery_waits");
  object.number("number", key.number)
      .text("proposer", proposer_of(account, key))
      .integer("proposed_ms", key.proposed_ms)
      .flag("this_device", key.proposer == account.self().id)
      .flag("due", is_due(key));
  if (key.stood) object.integer("since_ms", static_cast<std::int64_t>(key.stood->since_s) * 1000);
  if (const auto due = key.due_ms()) object.integer("due_ms", *due);
  console.event(object);
}

std::string describe(const vault::Account& account, const WaitingKey& key) {
  return "number " + std::to_string(key.number) + ", proposed by " +
         printable(proposer_of(account, key)) +
         (key.proposer == account.self().id ? " (this device)" : "") + " on " +
         human_time(key.proposed_ms) + " by its clock; " + when_due(key);
}

Result<std::vector<WaitingKey>> chosen(vault::Account& account, std::uint64_t number) {
  std::vector<WaitingKey> keys = TRY(account.waiting_keys());
  if (number != 0) std::erase_if(keys, [&](const WaitingKey& key) { return key.number != number; });
  if (keys.empty())
    return Error{Code::kNotFound, number == 0 ? "No new recovery key waits."
                                              : "No new recovery key waits under this number: see "
                                                "holdfast recovery show."};
  return keys;
}

}  // namespace

Result<void> tell_waiting_keys(vault::Account& account, Console& console) {
  for (const WaitingKey& key : TRY(account.waiting_keys())) {
    report(account, key, console);
    const std::string proposer = printable(proposer_of(account, key));
    console.warn(
        "ATTENTION: a new recovery key waits to replace the account's: " + describe(account, key) +
        ".\nIf that was not you, somebody has that device: holdfast recovery cancel, then "
        "holdfast devices remove " +
        proposer);
  }
  return Ok{};
}

Result<int> run_recovery_show(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoWaiting));
  vault::Account& account = opened->account();
  const std::vector<WaitingKey> waiting = TRY(account.waiting_keys());
  const auto& recovery = account.circle().recovery();
  JsonObject object("recovery");
  object.number("waiting", waiting.size());
  if (recovery) object.integer("since_ms", recovery->set_ms).text("id", recovery->id.hex());
  console.event(object);
  console.print(
      recovery ? "The recovery key stands since " + human_time(recovery->set_ms) + "."
               : "No recovery key: if all devices are lost, so is the data. Make one: holdfast "
                 "recovery key");
  for (const WaitingKey& key : waiting) {
    report(account, key, console);
    console.print("A new one waits: " + describe(account, key) + ".");
  }
  return kOk;
}

Result<int> run_recovery_complete(const Common& common, const WaitingKeyArgs& args,
                                  Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoWaiting));
  vault::Account& account = opened->account();
  const std::vector<WaitingKey> keys = TRY(chosen(account, args.number));
  if (keys.size() > 1)
    return Error{Code::kInvalid,
                 "Several new recovery keys wait: say which by its number, as holdfast recovery "
                 "show lists them."};
  const WaitingKey& key = keys.front();
  if (!TRY(console.confirm("The new recovery key, " + describe(account, key) +
                           ", replaces the account's, which then opens nothing any more. Did you "
                           "make it, and have you written it down?"))) {
    console.warn("Nothing was changed.");
    return kFailed;
  }
  TRY(account.complete_recovery(key.number));
  console.event(JsonObject("recovery_completed")
                    .number("number", key.number)
                    .number("epoch", account.circle().epoch()));
  console.say("The account has a new recovery key. The old one opens nothing any more.");
  return kOk;
}

Result<int> run_recovery_cancel(const Common& common, const WaitingKeyArgs& args,
                                Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoWaiting));
  vault::Account& account = opened->account();
  for (const WaitingKey& key : TRY(chosen(account, args.number))) {
    TRY(account.cancel_recovery(key.number));
    console.event(JsonObject("recovery_cancelled").number("number", key.number));
    console.say("Taken back: the new recovery key that " + printable(proposer_of(account, key)) +
                " proposed. The one from before stands. If you did not make it, take that device "
                "out: holdfast devices remove NAME");
  }
  return kOk;
}

}  // namespace holdfast::app
