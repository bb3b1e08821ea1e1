// What is kept no longer: snapshots forgotten by rules, packs dropped that nothing needs.
#include "commands.h"
#include "opening.h"

namespace holdfast::app {
namespace {

using vault::Account;

void show(const Account::SnapshotInfo& one, std::string_view event, const ForgetArgs& args,
          Console& console) {
  console.event(JsonObject(event)
                    .text("vault", args.vault)
                    .text("snapshot", one.id.hex())
                    .number("n", one.n)
                    .integer("time_ms", one.time_ms)
                    .text("device", one.device));
  std::string line = std::string(event) + "  " + one.id.hex().substr(0, 12) + "  " +
                     human_time(one.time_ms) + "  " + printable(one.device);
  for (const Bytes& root : one.root.roots) line += "  " + console.path(as_text(root));
  console.print(line);
}

// How long what was dropped lies there.
std::string what_becomes_of_it(const api::Usage& usage) {
  if (!usage.bytes)
    return "A folder deletes nothing by itself; until then holdfast undo takes this back.";
  return "The service deletes it in " +
         human_count(static_cast<std::uint64_t>(usage.grace_ms / 86'400'000), "day", "days") +
         "; until then holdfast undo takes this back.";
}

}  // namespace

Result<int> run_forget(const Common& common, const ForgetArgs& args, Console& console) {
  Account::ForgetOptions options;
  options.vault = args.vault;
  options.keep = args.keep;
  options.which = args.which;
  options.tags = args.tags;
  options.dry_run = args.dry_run;
  if (args.keep.any() == !args.which.empty())
    return console.usage(
        "Say which snapshots to forget, or rules for those that stay: --keep-last 3, "
        "--keep-daily 7, ...; one or the other.");
  if (!args.which.empty() && !args.tags.empty())
    return console.usage("--tag goes with rules, not with snapshots by name.");
  const auto opened = TRY(open_account(common, console));
  const auto report = TRY(opened->account().forget(options));
  for (const auto& one : report.kept) show(one, "kept", args, console);
  for (const auto& one : report.forgotten) show(one, "forgotten", args, console);
  console.findings(report.findings, "open");
  console.event(JsonObject("summary")
                    .text("vault", args.vault)
                    .number("kept", report.kept.size())
                    .number("forgotten", report.forgotten.size())
                    .number("problems", report.findings.problems.size())
                    .flag("dry_run", args.dry_run));
  console.say((args.dry_run ? "Dry run, nothing was forgotten: " : "") +
              human_count(report.kept.size(), "snapshot stays", "snapshots stay") + ", " +
              human_count(report.forgotten.size(), "goes", "go") + ". " +
              (args.dry_run || report.forgotten.empty()
                   ? ""
                   : "Nothing is deleted before holdfast prune; holdfast undo shows them again."));
  return report.findings.problems.empty() ? kOk : kIncomplete;
}

Result<int> run_prune(const Common& common, const PruneArgs& args, Console& console) {
  const auto opened = TRY(open_account(common, console));
  Account& account = opened->account();
  archive::Progress progress;
  std::optional<ProgressDisplay> display(std::in_place, console, progress, "opened", "pack",
                                         "packs");
  const auto report = account.prune({args.vault, args.dry_run, args.max_waste}, progress);
  const double seconds = display->seconds();
  display.reset();
  if (!report.ok()) return report.error();
  console.findings(report->findings, "drop");
  console.event(JsonObject("summary")
                    .text("vault", args.vault)
                    .number("records", report->records)
                    .number("packs", report->packs)
                    .number("bytes", report->bytes)
                    .number("moved_packs", report->moved_packs)
                    .number("moved_bytes", report->moved_bytes)
                    .number("lists", report->lists)
                    .number("stored_bytes", report->stored_bytes)
                    .number("skipped", report->skipped)
                    .number("kept_packs", report->kept_packs)
                    .number("kept_bytes", report->kept_bytes)
                    .real("seconds", seconds)
                    .flag("dry_run", args.dry_run));
  console.say((args.dry_run ? "Dry run, nothing was dropped: " : "Dropped: ") +
              human_count(report->packs, "pack", "packs") + ", " + human_bytes(report->bytes) +
              (report->moved_packs == 0
                   ? ""
                   : " (of " + std::to_string(report->moved_packs) + " of them " +
                         human_bytes(report->moved_bytes) + " are needed, and in new packs)") +
              "; " + human_count(report->kept_packs, "stays", "stay") + ", " +
              human_bytes(report->kept_bytes) + "; " + human_duration(seconds) + ".");
  if (report->records > 0) console.say(what_becomes_of_it(TRY(account.usage())));
  return report->skipped == 0 ? kOk : kIncomplete;
}

}  // namespace holdfast::app
