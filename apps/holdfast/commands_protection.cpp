// Who can read besides the person's own devices: the level, up and down.
#include "commands.h"
#include "opening.h"
#include "waiting.h"

namespace holdfast::app {
namespace {

const std::vector<Waits> kOfTheLevel = {Waits::kStandard, Waits::kHelp};

void show_level(const circle::Circle& circle, Console& console) {
  if (const circle::Custodian* const custodian = circle.custodian()) {
    console.print("Level standard: the provider's custodian can read what you back up, since " +
                  human_time(custodian->since_ms) +
                  ", but for vaults made with --always-e2e. The provider can help you if you lose "
                  "every device, and can be ordered to hand your data over.");
    console.print("To end that: holdfast protection advanced");
    return;
  }
  console.print(
      "Level advanced: only your devices and your recovery key can read what you back up. If you "
      "lose all of them, nobody can help you.");
}

void show_former(const vault::Account::Custody& custody, Console& console) {
  for (const auto& former : custody.former) {
    JsonObject object("former_custodian");
    object.text("id", former.custodian.id.hex())
        .integer("since_ms", former.custodian.since_ms)
        .flag("destroyed", former.receipt.has_value());
    if (former.receipt)
      object.integer("destroyed_ms", static_cast<std::int64_t>(former.receipt->time_s) * 1000)
          .text("receipt", former.receipt_hash.hex())
          .flag("logged", former.logged);
    console.event(object);
    const std::string until = "The custodian that could read since " +
                              human_time(former.custodian.since_ms) + " is no reader any more. ";
    if (former.receipt) {
      console.print(until + "The provider states that it destroyed its key on " +
                    human_time(static_cast<TimeMs>(former.receipt->time_s) * 1000) +
                    "; its signed receipt is kept here. That it kept no copy, nothing can prove.");
      if (!former.logged)
        console.warn(
            "The service's log does not have that receipt, as far as this device can see. It must "
            "within minutes; if it never does, the provider keeps from others what it told you.");
    } else {
      console.warn(until + "Its key is not known to be destroyed" +
                   (custody.pending_since
                        ? ": destruction pending since " + human_time(*custody.pending_since)
                        : ", and the service gives no receipt") +
                   ". What is backed up from now on is closed to it all the same.");
    }
  }
}

Result<void> show_waiting(vault::Account& account, Console& console) {
  for (const Waiting& one : TRY(account.waiting())) {
    if (one.what == Waits::kRecovery) continue;
    report(account, one, console);
    console.print((one.what == Waits::kHelp ? "Help for who says to be you waits: "
                                            : "The standard level waits: ") +
                  describe(account, one) + ".");
  }
  return Ok{};
}

// False: something must be done first.
bool show_readiness(const vault::Account& account, Console& console) {
  bool ready = true;
  for (const auto& one : account.readiness()) {
    ready = ready && one.good;
    console.event(JsonObject("readiness")
                      .text("what", one.what)
                      .flag("good", one.good)
                      .text("sentence", one.sentence));
    if (one.good) {
      console.say("  ready: " + one.sentence);
    } else {
      console.warn("  not yet: " + one.sentence);
    }
  }
  return ready;
}

void say_raised(const vault::Account& account, Console& console) {
  console.event(JsonObject("protection")
                    .text("level", "advanced")
                    .number("epoch", account.circle().epoch())
                    .number("statement", account.circle().seq()));
  console.say(
      "The account is at the advanced level: from this moment on nothing you back up can be read "
      "by the provider. The provider cannot turn this off.\n"
      "What you uploaded before was readable by the provider then; copies that it kept stay "
      "readable to them until you seal it anew: holdfast protection reseal");
}

// The tables of pack keys under the new epoch's keys. What fails is done by saying the same command
// again: who can read is decided already.
Result<void> rekey_all(vault::Account& account, Console& console) {
  for (const circle::Vault& vault : account.circle().vaults()) {
    const auto done = account.rekey(vault.name);
    if (!done.ok())
      return Error(done.error())
          .in("The level is advanced; the tables of keys of vault " + printable(vault.name) +
              " are not written anew yet: say this command again");
    if (!done->written) continue;
    console.event(JsonObject("rekeyed")
                      .text("vault", vault.name)
                      .number("entries", done->entries)
                      .number("stored_bytes", done->stored_bytes));
    console.say("The keys of " + human_count(done->entries, "pack", "packs") + " in vault " +
                printable(vault.name) + " are sealed anew (" + human_bytes(done->stored_bytes) +
                " sent).");
  }
  return Ok{};
}

}  // namespace

Result<int> run_protection_show(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoWaiting));
  vault::Account& account = opened->account();
  const circle::Circle& circle = account.circle();
  const auto custody = TRY(account.custody());
  JsonObject object("protection");
  object.text("level", level_name(circle.level()))
      .text("region", circle.region())
      .number("epoch", circle.epoch())
      .flag("provider_can_read", circle.custodian() != nullptr)
      .number("former_custodians", custody.former.size());
  if (custody.pending_since) object.integer("destruction_pending_since_ms", *custody.pending_since);
  console.event(object);
  show_level(circle, console);
  show_former(custody, console);
  TRY(show_exposure(account, console));
  TRY(show_waiting(account, console));
  return kOk;
}

Result<int> run_protection_advanced(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console));
  vault::Account& account = opened->account();
  if (account.circle().level() == circle::Level::kAdvanced) {
    console.event(JsonObject("protection").text("level", "advanced").flag("changed", false));
    console.say("The account is at the advanced level already.");
    TRY(rekey_all(account, console));
    return kOk;
  }
  if (!show_readiness(account, console))
    return Error{Code::kInvalid, "The advanced level cannot be turned on yet; nothing was changed"};
  if (!TRY(console.confirm(
          "From then on only your devices and your recovery key can read what you back up. If you "
          "lose all of them, nobody can help you. Go on?"))) {
    console.warn("Nothing was changed.");
    return kFailed;
  }
  TRY(account.raise_level());
  say_raised(account, console);
  TRY(rekey_all(account, console));
  return kOk;
}

Result<int> run_protection_standard(const Common& common, const ProtectionStandardArgs& args,
                                    Console& console) {
  const auto opened = TRY(open_account(common, console));
  vault::Account& account = opened->account();
  if (!TRY(console.confirm(
          "At the standard level the provider's custodian can read what you back up, and what is "
          "backed up already, but for vaults made with --always-e2e. The provider can be ordered "
          "to hand it over. Do you want that?"))) {
    console.warn("Nothing was changed.");
    return kFailed;
  }
  if (!args.recovery_key_file.empty()) {
    const crypto::WipedBytes text = TRY(read_secret_file(args.recovery_key_file));
    const keys::RecoveryKey key = TRY(keys::read_recovery_key(as_text(text.view())));
    TRY(account.lower_level(key));
    console.event(JsonObject("protection").text("level", "standard"));
    console.say("The account is at the standard level.");
    return kOk;
  }
  const std::uint64_t number = TRY(account.propose_standard());
  console.event(JsonObject("standard_proposed").number("number", number));
  console.say(
      "The standard level waits, as number " + std::to_string(number) +
      ". Three days after the service's log shows it, any device completes it: holdfast protection "
      "complete. Until then nothing changes, every device of this account is told at every "
      "command, "
      "and any of them takes it back: holdfast protection cancel.");
  return kOk;
}

Result<int> run_protection_complete(const Common& common, const WaitingArgs& args,
                                    Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoWaiting));
  vault::Account& account = opened->account();
  std::vector<Waiting> waiting =
      TRY(chosen(account, {Waits::kStandard}, args.number, "No standard level waits."));
  const Waiting one = TRY(only(std::move(waiting)));
  if (!TRY(console.confirm("The standard level, " + describe(account, one) +
                           ": the provider's custodian can then read what you back up, and what is "
                           "backed up already. Do you want that?"))) {
    console.warn("Nothing was changed.");
    return kFailed;
  }
  TRY(account.complete_waiting(one.number));
  console.event(JsonObject("protection").text("level", "standard").number("number", one.number));
  console.say("The account is at the standard level.");
  return kOk;
}

Result<int> run_protection_cancel(const Common& common, const WaitingArgs& args, Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoWaiting));
  vault::Account& account = opened->account();
  for (const Waiting& one :
       TRY(chosen(account, kOfTheLevel, args.number, "Nothing of the level waits."))) {
    TRY(account.cancel_waiting(one.number));
    console.event(JsonObject("protection_cancelled").number("number", one.number));
    console.say("Taken back: what " + printable(proposer_of(account, one)) +
                " proposed. The level is as it was. If you did not propose it, take that device "
                "out: holdfast devices remove NAME");
  }
  return kOk;
}

}  // namespace holdfast::app
