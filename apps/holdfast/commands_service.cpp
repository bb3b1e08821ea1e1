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
    console.print("The store is a folder: it sets no limit but its disk.");
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

}  // namespace holdfast::app
