// What the service says of an account: how full it is, who came, when it ends.
#include "commands.h"
#include "opening.h"

namespace holdfast::app {
namespace {

constexpr std::int64_t kDayMs = 24LL * 60 * 60 * 1000;

void report(const api::Usage& usage, Console& console) {
  JsonObject object("usage");
  if (usage.bytes) object.number("bytes", *usage.bytes);
  if (usage.quota) object.number("quota", *usage.quota);
  object.integer("grace_days", usage.grace_ms / kDayMs);
  if (usage.deletion_ms) object.integer("deletion_ms", *usage.deletion_ms);
  console.event(object);
  if (!usage.bytes) {
    console.print("The store is a folder: it sets no limit but its disk, and deletes nothing.");
    return;
  }
  console.print("Stored: " + human_bytes(*usage.bytes) +
                (usage.quota ? " of " + human_bytes(*usage.quota) : std::string(", no quota")));
  console.print("What a record drops is kept for " + std::to_string(usage.grace_ms / kDayMs) +
                " days more.");
  if (usage.deletion_ms)
    console.print("The account is to be deleted: its ciphertext goes on " +
                  human_time(*usage.deletion_ms) +
                  ". Until then any device takes that back: holdfast account keep");
}

}  // namespace

Result<int> run_account_show(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console));
  report(TRY(opened->account().usage()), console);
  return kOk;
}

Result<int> run_account_delete(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console));
  if (!TRY(console.confirm(
          "Delete the account and all its backups, for every device? Nobody can bring them back.")))
    return kFailed;
  report(TRY(opened->account().delete_account()), console);
  return kOk;
}

Result<int> run_account_keep(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console));
  report(TRY(opened->account().keep_account()), console);
  console.say("The account stays.");
  return kOk;
}

Result<int> run_account_connections(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console));
  const circle::Circle& circle = opened->account().circle();
  for (const api::Connection& c : TRY(opened->account().connections())) {
    const circle::Device* const device = circle.device(c.caller);
    const std::string name = device != nullptr ? device->info.name : "the recovery key";
    console.event(JsonObject("connection")
                      .text("device", name)
                      .text("device_id", c.caller.hex())
                      .text("address", c.address)
                      .integer("first_ms", c.first_ms)
                      .integer("last_ms", c.last_ms)
                      .number("requests", c.requests));
    console.print(human_time(c.first_ms) + "  " + printable(name) + "  from " +
                  printable(c.address) + "  " + std::to_string(c.requests) + " requests");
  }
  return kOk;
}

Result<int> run_account_resend(const Common& common, const ResendArgs& args, Console& console) {
  const std::string invitation = TRY(read_invitation(args.invitation_file));
  const auto opened = TRY(open_member(common, invitation, console));
  const auto sent = TRY(vault::resend(opened->home, *opened->store));
  // What came of it is judged as always.
  TRY(vault::Account::open(opened->home, *opened->store, opened->clock));
  console.event(JsonObject("resent")
                    .number("statements", sent.statements)
                    .number("snapshots", sent.records)
                    .number("drops", sent.drops));
  if (sent.statements + sent.records == 0) {
    console.print("The store has everything that this device saw of the account's lists.");
  } else {
    console.print("Sent what the store had lost: " + std::to_string(sent.statements) +
                  " statements of the circle, " + std::to_string(sent.records) +
                  " records of vaults.");
  }
  if (sent.drops > 0)
    console.print(
        std::to_string(sent.drops) +
        " of these drop packs, for which the service waits anew: holdfast undo lists what "
        "can be brought back.");
  console.print(
      "File contents may be missing still: run holdfast backup, which sends what this machine has, "
      "and holdfast check, which says what is gone.");
  return kOk;
}

}  // namespace holdfast::app
