// Whether what is stored is whole, and going on where it is not.
#include <set>

#include "commands.h"
#include "opening.h"

namespace holdfast::app {

using vault::Account;

Result<int> run_check(const Common& common, const CheckArgs& args, Console& console) {
  const auto opened = TRY(open_account(common, console));
  archive::Progress progress;
  std::optional<ProgressDisplay> display(std::in_place, console, progress, "checked");
  Result<Account::CheckReport> report =
      opened->account().check(args.vault, args.read_percent, progress);
  const double seconds = display->seconds();
  display.reset();
  if (!report.ok()) return std::move(report).error();
  console.findings(report->findings, "verify");
  const bool good = report->findings.problems.empty();
  std::set<Digest> damaged;
  for (const auto& one : report->damaged) {
    damaged.insert(one.snapshot);
    JsonObject object("damaged");
    object.text("snapshot", one.snapshot.hex());
    if (!one.path.empty()) object.path("path", one.path);
    console.event(object);
  }
  console.event(JsonObject("summary")
                    .text("vault", args.vault)
                    .number("snapshots", report->snapshots)
                    .number("damaged_snapshots", damaged.size())
                    .number("packs", report->packs)
                    .number("packs_read", report->packs_read)
                    .number("bytes_read", report->bytes_read)
                    .number("problems", report->findings.problems.size())
                    .real("seconds", seconds)
                    .flag("ok", good));
  console.say(human_count(report->snapshots, "snapshot", "snapshots") + ", " +
              human_count(report->packs, "pack", "packs") + ", " +
              std::to_string(report->packs_read) + " of them read whole (" +
              human_bytes(report->bytes_read) + ").");
  if (!good) {
    if (!console.json())
      console.warn(
          "A restore would not get everything back: what is listed above is damaged or "
          "gone, and " +
          human_count(damaged.size(), "snapshot is", "snapshots are") +
          " not whole. Put the store's files back from a copy, or else: holdfast repair, and back "
          "up again.");
    return kFailed;
  }
  if (args.read_percent >= 100)
    console.say("Everything was read, opened and compared: a restore would work.");
  else
    console.say("Every name, key and index is right" +
                std::string(args.read_percent > 0 ? ", and so is the sample of contents" : "") +
                ". --read-data reads all contents too.");
  return kOk;
}

Result<int> run_repair(const Common& common, const std::string& vault, Console& console) {
  const auto opened = TRY(open_account(common, console));
  archive::Progress progress;
  std::optional<ProgressDisplay> display(std::in_place, console, progress, "checked");
  const auto report = opened->account().repair(vault, progress);
  display.reset();
  if (!report.ok()) return report.error();
  console.findings(report->findings, "verify");
  for (const auto& one : report->salvaged) {
    console.event(JsonObject("salvaged")
                      .text("from", one.from.id.hex())
                      .text("snapshot", one.to.id.hex())
                      .number("files", one.to.root.files)
                      .number("left_out", one.left_out));
    console.print("Snapshot " + one.to.id.hex().substr(0, 12) + " has what is whole of " +
                  one.from.id.hex().substr(0, 12) + ": " +
                  human_count(one.to.root.files, "file", "files") + ", without " +
                  std::to_string(one.left_out) + ".");
  }
  for (const auto& one : report->lost) {
    console.event(JsonObject("lost").text("snapshot", one.id.hex()));
    console.print("Nothing of snapshot " + one.id.hex().substr(0, 12) + " can be read.");
  }
  console.event(JsonObject("summary")
                    .text("vault", vault)
                    .number("given_back", report->given_back)
                    .number("damaged", report->damaged)
                    .number("lost_tables", report->lost_tables)
                    .number("salvaged", report->salvaged.size())
                    .number("lost", report->lost.size()));
  const bool whole = report->damaged + report->lost_tables == 0 && report->salvaged.empty() &&
                     report->lost.empty();
  console.say(whole ? "Everything was read, and is whole."
                    : "Back up again: that sends what the files still have of what is lost. "
                      "holdfast undo takes this back, should the store's files come back.");
  return whole ? kOk : kIncomplete;
}

}  // namespace holdfast::app
