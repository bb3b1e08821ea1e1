#include "commands.h"
#include "opening.h"
#include "waiting.h"

namespace holdfast::app {
namespace {

Result<std::vector<Waiting>> waiting_keys(vault::Account& account, std::uint64_t number) {
  return chosen(account, {Waits::kRecovery}, number,
                number == 0 ? "No new recovery key waits."
                            : "No new recovery key waits under this number: see holdfast recovery "
                              "show.");
}

}  // namespace

Result<int> run_recovery_show(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoWaiting));
  vault::Account& account = opened->account();
  std::vector<Waiting> waiting = TRY(account.waiting());
  std::erase_if(waiting, [](const Waiting& one) { return one.what != Waits::kRecovery; });
  const auto& recovery = account.circle().recovery();
  JsonObject object("recovery");
  object.number("waiting", waiting.size());
  if (recovery) object.integer("since_ms", recovery->set_ms).text("id", recovery->id.hex());
  console.event(object);
  console.print(
      recovery ? "The recovery key stands since " + human_time(recovery->set_ms) + "."
               : "No recovery key: if all devices are lost, so is the data. Make one: holdfast "
                 "recovery key");
  for (const Waiting& key : waiting) {
    report(account, key, console);
    console.print("A new one waits: " + describe(account, key) + ".");
  }
  return kOk;
}

Result<int> run_recovery_complete(const Common& common, const WaitingArgs& args, Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoWaiting));
  vault::Account& account = opened->account();
  std::vector<Waiting> keys = TRY(waiting_keys(account, args.number));
  const Waiting key = TRY(only(std::move(keys)));
  if (!TRY(console.confirm("The new recovery key, " + describe(account, key) +
                           ", replaces the account's, which then opens nothing any more. Did you "
                           "make it, and have you written it down?"))) {
    console.warn("Nothing was changed.");
    return kFailed;
  }
  TRY(account.complete_waiting(key.number));
  console.event(JsonObject("recovery_completed")
                    .number("number", key.number)
                    .number("epoch", account.circle().epoch()));
  console.say("The account has a new recovery key. The old one opens nothing any more.");
  return kOk;
}

Result<int> run_recovery_cancel(const Common& common, const WaitingArgs& args, Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoWaiting));
  vault::Account& account = opened->account();
  for (const Waiting& key : TRY(waiting_keys(account, args.number))) {
    TRY(account.cancel_waiting(key.number));
    console.event(JsonObject("recovery_cancelled").number("number", key.number));
    console.say("Taken back: the new recovery key that " + printable(proposer_of(account, key)) +
                " proposed. The one from before stands. If you did not make it, take that device "
                "out: holdfast devices remove NAME");
  }
  return kOk;
}

}  // namespace holdfast::app
