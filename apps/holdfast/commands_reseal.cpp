// What a key that was copied before a reader went could still open, and sealing that again.
#include "commands.h"
#include "opening.h"

namespace holdfast::app {
namespace {

using Exposure = vault::Account::Exposure;

JsonObject& add_exposure(JsonObject& object, const Exposure& exposure) {
  object.number("exposed_packs", exposure.packs)
      .number("exposed_bytes", exposure.bytes)
      .number("total_packs", exposure.total_packs)
      .number("total_bytes", exposure.total_bytes);
  if (exposure.since_ms) object.integer("reader_gone_ms", *exposure.since_ms);
  return object;
}

// How long both copies lie there.
std::string old_copies(const api::Usage& usage) {
  if (!usage.bytes)
    return "The old copies stay in the folder until its owner deletes them: a folder deletes "
           "nothing.";
  return "The service keeps the old copies for " +
         human_count(static_cast<std::uint64_t>(usage.grace_ms / 86'400'000), "day", "days") +
         " more, and then should delete them. Whoever copied both them and their keys can read "
         "them for ever: nothing undoes that.";
}

void report(const vault::Account::ResealReport& done, const ResealArgs& args, double seconds,
            Console& console) {
  JsonObject object("summary");
  object.text("vault", args.vault)
      .number("packs", done.packs)
      .number("bytes", done.bytes)
      .number("stored_bytes", done.stored_bytes)
      .number("resumed_packs", done.resumed_packs)
      .number("skipped", done.skipped);
  console.event(add_exposure(object, done.left).real("seconds", seconds));
  if (done.packs == 0) return;
  console.say("Sealed again: " + human_count(done.packs, "pack", "packs") + ", " +
              human_bytes(done.bytes) + "; " + human_bytes(done.stored_bytes) + " sent; " +
              human_duration(seconds) + ".");
  if (done.resumed_packs > 0)
    console.say(human_count(done.resumed_packs, "of them was", "of them were") +
                " sent before this was interrupted.");
}

void tell_exposure(const Exposure& exposure, const std::string& vault, Console& console) {
  if (!exposure.since_ms) return;
  if (exposure.packs == 0) {
    console.say("Vault " + printable(vault) +
                ": nothing could still be opened with a key that was "
                "copied before " +
                human_time(*exposure.since_ms) + ", when a reader went.");
    return;
  }
  console.say("Vault " + printable(vault) + ": " + human_bytes(exposure.bytes) + " of " +
              human_bytes(exposure.total_bytes) +
              " could still be opened with a key that was copied before " +
              human_time(*exposure.since_ms) +
              ", when a reader went, by whoever also gets the "
              "packs.");
}

}  // namespace

Result<void> show_exposure(vault::Account& account, Console& console) {
  for (const circle::Vault& vault : account.circle().vaults()) {
    const Exposure exposure = TRY(account.exposure(vault.name));
    if (!exposure.since_ms) continue;
    JsonObject object("exposure");
    object.text("vault", vault.name);
    console.event(add_exposure(object, exposure));
    tell_exposure(exposure, vault.name, console);
  }
  return Ok{};
}

Result<int> run_reseal(const Common& common, const ResealArgs& args, Console& console) {
  vault::Account::ResealOptions options;
  options.vault = args.vault;
  if (!args.limit_upload.empty()) {
    const auto rate = rate_of(args.limit_upload);
    if (!rate)
      return console.usage("--limit-upload takes bytes a second: a number, or 500K, 2M, 1G.");
    options.bytes_per_second = *rate;
  }
  const auto opened = TRY(open_account(common, console));
  vault::Account& account = opened->account();
  tell_exposure(TRY(account.exposure(args.vault)), args.vault, console);
  archive::Progress progress;
  std::optional<ProgressDisplay> display(std::in_place, console, progress, "sealed again", "pack",
                                         "packs");
  auto done = account.reseal(options, progress);
  const double seconds = display->seconds();
  display.reset();
  if (!done.ok()) return std::move(done).error();
  console.findings(done->findings, "seal again");
  report(*done, args, seconds, console);
  if (done->packs > 0) {
    tell_exposure(done->left, args.vault, console);
    console.say(old_copies(TRY(account.usage())));
  } else if (!done->left.since_ms) {
    console.say("Nobody who could read vault " + printable(args.vault) +
                " has gone: there is nothing to seal again.");
  }
  if (done->skipped == 0 && done->left.packs == 0) return kOk;
  if (!console.json())
    console.warn(
        "Not all of it is done: run holdfast protection reseal again, and holdfast check "
        "where packs could not be read.");
  return kIncomplete;
}

}  // namespace holdfast::app
