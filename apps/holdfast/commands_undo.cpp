// What devices took from the vaults: said at every command, listed, brought back.
#include <map>

#include "commands.h"
#include "opening.h"

namespace holdfast::app {
namespace {

using Loss = vault::Account::Loss;

std::string device_of(const vault::Account& account, const Loss& loss) {
  return printable(loss.device) + (loss.signer == account.self().id ? " (this device)" : "");
}

// "hid 3 snapshots and dropped 12 packs"
std::string what_it_did(const Loss& loss) {
  std::vector<std::string> parts;
  const auto add = [&](std::uint64_t n, const std::string& verb, std::string_view one,
                       std::string_view many) {
    if (n > 0) parts.push_back(verb + human_count(n, one, many));
  };
  add(loss.snapshots, "hid ", "snapshot", "snapshots");
  add(loss.packs, "dropped ", "pack", "packs");
  add(loss.unlisted, "left out the keys or places of ", "pack", "packs");
  add(loss.unread, "left out ", "unreadable list of keys or places",
      "unreadable lists of keys or places");
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += i + 1 == parts.size() ? " and " : ", ";
    text += parts[i];
  }
  return text;
}

std::string how_long(const Loss& loss, TimeMs now) {
  if (!loss.kept_until_ms) return "A folder deletes nothing.";
  if (loss.packs == 0) return "Nothing is deleted because of that.";
  if (*loss.kept_until_ms <= now)
    return "The service may have begun to delete what was dropped: undo it now.";
  return "The service keeps what was dropped until " + human_time(*loss.kept_until_ms) +
         " at least.";
}

std::string undo_command(const Loss& loss) {
  return "holdfast undo " +
         (loss.vault == "main" ? std::string() : "--vault " + printable(loss.vault) + " ") +
         std::to_string(loss.n);
}

JsonObject& add_loss(JsonObject& object, const vault::Account& account, const Loss& loss) {
  object.text("vault", loss.vault)
      .number("record", loss.n)
      .integer("time_ms", loss.time_ms)
      .text("device", loss.device)
      .flag("this_device", loss.signer == account.self().id)
      .number("snapshots", loss.snapshots)
      .number("packs", loss.packs)
      .number("unlisted", loss.unlisted)
      .number("unread", loss.unread);
  if (loss.kept_until_ms) object.integer("kept_until_ms", *loss.kept_until_ms);
  return object;
}

// Of one device in one vault, as one: somebody may write many. Its number is the first one's, which
// undoes all.
std::vector<Loss> together(const std::vector<Loss>& losses) {
  std::map<std::pair<std::string, ReaderId>, Loss> sums;
  for (const Loss& loss : losses) {
    const auto [it, first] = sums.try_emplace({loss.vault, loss.signer}, loss);
    if (first) continue;
    Loss& sum = it->second;
    sum.snapshots += loss.snapshots;
    sum.packs += loss.packs;
    sum.unlisted = std::max(sum.unlisted, loss.unlisted);
    sum.unread += loss.unread;
    if (loss.kept_until_ms && *loss.kept_until_ms < *sum.kept_until_ms)
      sum.kept_until_ms = loss.kept_until_ms;
  }
  std::vector<Loss> all;
  all.reserve(sums.size());
  for (auto& [key, loss] : sums) all.push_back(std::move(loss));
  return all;
}

void warn_of(const vault::Account& account, const Loss& loss, TimeMs now, Console& console) {
  JsonObject object("losses");
  console.event(add_loss(object, account, loss));
  const bool member = account.circle().member(loss.signer) != nullptr;
  console.warn("ATTENTION: device " + printable(loss.device) + " " + what_it_did(loss) +
               " of vault " + printable(loss.vault) + ", on " + human_time(loss.time_ms) +
               " by its clock. " + how_long(loss, now) + "\nIf that was not you" +
               (member ? ", somebody has that device: holdfast devices remove " +
                             printable(loss.device) + ", then "
                       : std::string(": ")) +
               undo_command(loss));
}

void report(const vault::Account::UndoReport& report, const std::string& vault, std::uint64_t n,
            Console& console) {
  console.event(JsonObject("undone")
                    .text("vault", vault)
                    .number("record", n)
                    .number("records", report.records)
                    .number("snapshots", report.snapshots)
                    .number("packs", report.packs)
                    .number("segments", report.segments)
                    .number("left_out", report.left_out)
                    .number("given_back", report.given_back)
                    .number("gone", report.gone));
  console.print("Undone: " + human_count(report.snapshots, "snapshot is", "snapshots are") +
                " shown again, " + human_count(report.packs, "pack stays", "packs stay") +
                ", and what it takes to find and open them is listed again.");
  if (report.given_back > 0)
    console.print("The store had deleted " + human_count(report.given_back, "of them", "of them") +
                  ", which this device still had and gave back.");
  if (report.left_out > 0)
    console.warn(human_count(report.left_out, "list", "lists") +
                 " of keys or places by devices that were taken out found no place: what those "
                 "devices saved last may be missing.");
  if (report.gone > 0)
    console.warn("The store has deleted " + human_count(report.gone, "pack", "packs") +
                 " for good. Run holdfast backup, which sends again what files still have of it, "
                 "and holdfast check, which says what snapshots have lost.");
}

}  // namespace

Result<void> tell_losses(vault::Account& account, TimeMs now, Console& console) {
  auto losses = TRY(account.losses());
  std::erase_if(losses,
                [&](const Loss& loss) { return !loss.recent || loss.signer == account.self().id; });
  for (const Loss& loss : together(losses)) warn_of(account, loss, now, console);
  return Ok{};
}

Result<int> run_undo(const Common& common, const UndoArgs& args, Console& console) {
  const auto opened = TRY(open_account(common, console, Tell::kNoLosses));
  vault::Account& account = opened->account();
  if (args.number) {
    const std::string vault = args.vault.empty() ? "main" : args.vault;
    const auto undone = TRY(account.undo(vault, *args.number));
    report(undone, vault, *args.number, console);
    return undone.gone > 0 ? kIncomplete : kOk;
  }
  if (!args.vault.empty() && account.circle().vault_named(args.vault) == nullptr)
    return Error{Code::kNotFound,
                 "There is no vault " + printable(args.vault) + ": see holdfast vault list."};
  bool any = false;
  for (const Loss& loss : TRY(account.losses())) {
    if (!args.vault.empty() && loss.vault != args.vault) continue;
    any = true;
    JsonObject object("loss");
    console.event(add_loss(object, account, loss));
    console.print("Vault " + printable(loss.vault) + ", record " + std::to_string(loss.n) + ", " +
                  human_time(loss.time_ms) + ": " + device_of(account, loss) + " " +
                  what_it_did(loss) + ". " + how_long(loss, opened->clock.now()));
  }
  if (any)
    console.say(
        "holdfast undo NUMBER brings back what that record and all later ones of its vault took "
        "away; --vault V says which vault, if it is not main.");
  else
    console.say("Nothing was forgotten or dropped that could be brought back.");
  return kOk;
}

}  // namespace holdfast::app
