#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

#include "commands.h"
#include "opening.h"

namespace holdfast::app {
namespace {

using vault::Account;

constexpr std::size_t kShortId = 12;             // hexadecimal digits, enough to name a snapshot
constexpr std::uint64_t kLeastRate = 16 * 1024;  // a service cuts off what comes much slower

std::string short_id(const Account::SnapshotInfo& snapshot) {
  return snapshot.id.hex().substr(0, kShortId);
}

std::string_view kind_name(archive::EntryKind kind) {
  switch (kind) {
    case archive::EntryKind::kFile: return "file";
    case archive::EntryKind::kDirectory: return "directory";
    case archive::EntryKind::kSymlink: return "symlink";
    case archive::EntryKind::kFifo: return "fifo";
    case archive::EntryKind::kCharDevice: return "char_device";
    case archive::EntryKind::kBlockDevice: return "block_device";
  }
  return "unknown";
}

char kind_letter(archive::EntryKind kind) {
  switch (kind) {
    case archive::EntryKind::kFile: return '-';
    case archive::EntryKind::kDirectory: return 'd';
    case archive::EntryKind::kSymlink: return 'l';
    case archive::EntryKind::kFifo: return 'p';
    case archive::EntryKind::kCharDevice: return 'c';
    case archive::EntryKind::kBlockDevice: return 'b';
  }
  return '?';
}

std::string octal(std::uint32_t mode) {
  std::string text;
  for (int shift = 9; shift >= 0; shift -= 3)
    text += static_cast<char>('0' + ((mode >> shift) & 7));
  return text;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

std::string owner(const Bytes& name, std::uint32_t id) {
  return name.empty() ? std::to_string(id) : printable(as_text(name));
}

void add_entry(JsonObject& object, const Account::PathEntry& found) {
  const archive::Entry& entry = found.entry;
  object.path("path", found.path)
      .text("kind", kind_name(entry.kind))
      .text("mode", octal(entry.mode))
      .number("uid", entry.uid)
      .number("gid", entry.gid)
      .path("user", as_text(entry.user))
      .path("group", as_text(entry.group))
      .number("size", entry.size)
      .integer("mtime_seconds", entry.mtime.seconds)
      .number("mtime_nanoseconds", entry.mtime.nanoseconds)
      .number("links", entry.links);
  if (entry.kind == archive::EntryKind::kSymlink) object.path("target", as_text(entry.target));
}

std::string long_line(const Account::PathEntry& found, const Console& console) {
  const archive::Entry& entry = found.entry;
  // Only what milliseconds can say is shown as a date.
  constexpr std::int64_t kFar = 250'000'000'000;
  const bool near = entry.mtime.seconds > -kFar && entry.mtime.seconds < kFar;
  std::string line =
      kind_letter(entry.kind) + octal(entry.mode) + " " + padded(owner(entry.user, entry.uid), 8) +
      " " + padded(owner(entry.group, entry.gid), 8) + " " +
      padded(std::to_string(entry.size), 12) + " " +
      (near ? human_time(entry.mtime.seconds * 1000) : std::to_string(entry.mtime.seconds)) + " " +
      console.path(found.path);
  if (entry.kind == archive::EntryKind::kSymlink)
    line += " -> " + console.path(as_text(entry.target));
  return line;
}

JsonObject& add_snapshot(JsonObject& object, const Account::SnapshotInfo& snapshot) {
  std::vector<std::string> roots;
  for (const Bytes& root : snapshot.root.roots) roots.emplace_back(as_text(root));
  return object.text("snapshot", snapshot.id.hex())
      .number("n", snapshot.n)
      .integer("time_ms", snapshot.time_ms)
      .text("device", snapshot.device)
      .paths("roots", roots)
      .texts("tags", {snapshot.root.tags.begin(), snapshot.root.tags.end()})
      .number("files", snapshot.root.files)
      .number("directories", snapshot.root.directories)
      .number("others", snapshot.root.others)
      .number("bytes", snapshot.root.bytes)
      .number("problems", snapshot.root.problems);
}

Result<std::vector<archive::Glob>> parse_globs(const std::vector<std::string>& patterns) {
  std::vector<archive::Glob> globs;
  globs.reserve(patterns.size());
  for (const std::string& pattern : patterns) globs.push_back(TRY(archive::Glob::parse(pattern)));
  return globs;
}

// A glob that matches exactly this path.
std::string literal_glob(std::string_view path) {
  std::string glob;
  for (const char c : path) {
    if (std::string_view("*?[]\\!").find(c) != std::string_view::npos) glob += '\\';
    glob += c;
  }
  return glob;
}

// A store inside what is backed up would grow by its own size each time, and this device's state
// changes while it is read.
Result<void> leave_out_own(const Opened& opened, const Common& common, archive::WalkOptions& walk) {
  const std::string server = common.server.empty() ? opened.home.setting("server") : common.server;

  std::vector<std::string> own{opened.home.folder()};
  if (server.starts_with("dir:")) own.push_back(server.substr(4));
  for (const std::string& folder : own) {
    std::error_code failed;
    const std::filesystem::path real = std::filesystem::canonical(folder, failed);
    if (!failed && real != "/")
      walk.filter.exclude.push_back(TRY(archive::Glob::parse(literal_glob(real.native()))));
  }
  return {};
}

Result<archive::WalkOptions> walk_options(const BackupArgs& args) {
  archive::WalkOptions walk;
  walk.roots = args.paths;
  walk.one_file_system = args.one_file_system;
  walk.filter.exclude = TRY(parse_globs(args.exclude));
  for (const std::string& file : args.exclude_from)
    for (archive::Glob& glob : TRY(archive::read_globs(file)))
      walk.filter.exclude.push_back(std::move(glob));
  walk.filter.caches = args.exclude_caches;
  walk.filter.nodump = args.nodump;
  return walk;
}

void report_backup(const Account::BackupReport& report, double seconds, Console& console) {
  const std::string id = report.snapshot ? report.snapshot->id.hex() : "";
  const double rate = static_cast<double>(report.bytes) / std::max(seconds, 0.001);
  console.say((report.snapshot ? "Snapshot " + console.strong(short_id(*report.snapshot)) + ": "
                               : "Dry run, nothing was saved: ") +
              human_count(report.files, "file", "files") + ", " + human_bytes(report.bytes) + "; " +
              human_bytes(report.new_bytes) + " of it new, " + human_bytes(report.stored_bytes) +
              " sent to the store; " + human_duration(seconds) + ", " +
              human_bytes(static_cast<std::uint64_t>(rate)) + "/s.");
  if (report.resumed_packs > 0)
    console.say("It went on where a backup was interrupted: " +
                human_count(report.resumed_packs, "pack was", "packs were") +
                " in the store already.");
  console.event(JsonObject("summary")
                    .text("snapshot", id)
                    .number("files", report.files)
                    .number("bytes", report.bytes)
                    .number("new_bytes", report.new_bytes)
                    .number("stored_bytes", report.stored_bytes)
                    .number("resumed_packs", report.resumed_packs)
                    .number("problems", report.findings.problems.size())
                    .real("seconds", seconds)
                    .flag("dry_run", !report.snapshot));
}

// Manifest order: a directory before what is in it, siblings by the bytes of their names.
bool earlier(std::string_view a, std::string_view b) {
  return std::ranges::lexicographical_compare(a, b, [](char x, char y) {
    const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
    return rank(x) < rank(y);
  });
}

enum class Change { kNone, kContent, kAttributes };

Change compare(const archive::Entry& a, const archive::Entry& b) {
  if (a.kind != b.kind || a.size != b.size || a.content != b.content || a.target != b.target ||
      a.rdev != b.rdev)
    return Change::kContent;
  const bool same = a.mode == b.mode && a.uid == b.uid && a.gid == b.gid && a.mtime == b.mtime &&
                    a.xattrs == b.xattrs;
  return same ? Change::kNone : Change::kAttributes;
}

class DiffPrinter {
 public:
  explicit DiffPrinter(Console& console) : console_(console) {}

  void added(const Account::PathEntry& found) { print("added", '+', added_, found); }
  void removed(const Account::PathEntry& found) { print("removed", '-', removed_, found); }
  void both(const Account::PathEntry& from, const Account::PathEntry& to) {
    switch (compare(from.entry, to.entry)) {
      case Change::kNone: return;
      case Change::kContent: return print("content", 'M', content_, to);
      case Change::kAttributes: return print("attributes", 'A', attributes_, to);
    }
  }
  void summary() {
    console_.say(std::to_string(added_) + " added, " + std::to_string(removed_) + " removed, " +
                 std::to_string(content_) + " with other content, " + std::to_string(attributes_) +
                 " with other attributes.");
    console_.event(JsonObject("summary")
                       .number("added", added_)
                       .number("removed", removed_)
                       .number("content", content_)
                       .number("attributes", attributes_));
  }

 private:
  void print(std::string_view change, char mark, std::uint64_t& count,
             const Account::PathEntry& found) {
    ++count;
    console_.event(JsonObject("change")
                       .text("change", change)
                       .path("path", found.path)
                       .text("kind", kind_name(found.entry.kind))
                       .number("size", found.entry.size));
    console_.print(std::string{mark, ' '} + console_.path(found.path));
  }

  Console& console_;
  std::uint64_t added_ = 0;
  std::uint64_t removed_ = 0;
  std::uint64_t content_ = 0;
  std::uint64_t attributes_ = 0;
};

struct Match {
  Account::PathEntry newest;
  std::string first_id;
  std::string last_id;
  std::int64_t last_ms = 0;
  std::uint64_t snapshots = 0;
};

Result<archive::Overwrite> overwrite_rule(const std::string& word) {
  if (word == "never") return archive::Overwrite::kNever;
  if (word == "older") return archive::Overwrite::kOlder;
  if (word == "always") return archive::Overwrite::kAlways;
  return Error{Code::kInvalid, "--overwrite is never, older or always."};
}

}  // namespace

namespace {

// How full the account is, before anything is read; and that somebody asked for its end, which
// another device of the person may not know.
Result<void> report_room(Account& account, Console& console) {
  const api::Usage usage = TRY(account.usage());
  if (usage.bytes && usage.quota)
    console.say("The service stores " + human_bytes(*usage.bytes) + " of the " +
                human_bytes(*usage.quota) + " that this account may have.");
  if (usage.deletion_ms)
    console.warn("This account is to be deleted on " + human_time(*usage.deletion_ms) +
                 ", as one of its devices asked. If that was not you: holdfast account keep, then "
                 "remove the device.");
  return {};
}

}  // namespace

Result<int> run_backup(const Common& common, const BackupArgs& args, Console& console) {
  Result<archive::WalkOptions> walk = walk_options(args);
  if (!walk.ok() && walk.error().code == Code::kInvalid) return console.usage(walk.error().message);
  Account::BackupOptions options;
  options.vault = args.vault;
  options.walk = TRY(std::move(walk));
  options.tags = args.tags;
  Common limited = common;
  if (!args.limit_upload.empty()) {
    const auto rate = rate_of(args.limit_upload);
    if (!rate || *rate < kLeastRate)
      return console.usage("--limit-upload takes 16K or more a second: 500K, 2M, 1G.");
    limited.upload_bytes_per_second = *rate;
  }
  if (args.nice != 0 && ::setpriority(PRIO_PROCESS, 0, args.nice) != 0)
    return console.usage("--nice takes 1 to 19, and no less than the shell's own.");
  options.dry_run = args.dry_run;
  options.count_ahead = console.shows_terminal() && !console.quiet();
  const auto opened = TRY(open_account(limited, console));
  TRY(leave_out_own(*opened, common, options.walk));
  TRY(report_room(opened->account(), console));
  archive::Progress progress;
  std::optional<ProgressDisplay> display(std::in_place, console, progress, "saved");
  Result<Account::BackupReport> report = opened->account().backup(options, progress);
  const double seconds = display->seconds();
  display.reset();
  if (!report.ok()) return std::move(report).error();
  console.findings(report->findings, "read");
  report_backup(*report, seconds, console);
  if (report->findings.problems.empty()) return kOk;
  if (!console.json())
    console.warn(human_count(report->findings.problems.size(), "path", "paths") +
                 " could not be read, as listed above; everything else is saved.");
  return kIncomplete;
}

Result<int> run_snapshots(const Common& common, const std::string& vault, Console& console) {
  const auto opened = TRY(open_account(common, console));
  archive::Findings findings;
  const std::vector<Account::SnapshotInfo> all = TRY(opened->account().snapshots(vault, findings));
  for (const Account::SnapshotInfo& snapshot : all) {
    JsonObject object("snapshot");
    add_snapshot(object, snapshot).text("vault", vault);
    console.event(object);
    std::string line = short_id(snapshot) + "  " + human_time(snapshot.time_ms) + "  " +
                       printable(snapshot.device) + "  " +
                       human_count(snapshot.root.files, "file", "files") + ", " +
                       human_bytes(snapshot.root.bytes);
    for (const Bytes& root : snapshot.root.roots) line += "  " + console.path(as_text(root));
    for (const std::string& tag : snapshot.root.tags) line += "  #" + printable(tag);
    if (snapshot.root.problems > 0)
      line += "  (" + std::to_string(snapshot.root.problems) + " could not be read)";
    console.print(line);
  }
  if (all.empty()) console.say("Vault " + printable(vault) + " shows no snapshots.");
  console.findings(findings, "open");
  return findings.problems.empty() ? kOk : kFailed;
}

Result<int> run_ls(const Common& common, const LsArgs& args, Console& console) {
  const Where where = split_where(args.where);
  const auto opened = TRY(open_account(common, console));
  const auto snapshot = TRY(opened->account().find_snapshot(args.vault, where.snapshot));
  const std::string top = where.path.empty() ? "/" : where.path;
  const auto listing = TRY(opened->account().list(args.vault, snapshot, top, args.depth));
  std::uint64_t shown = 0;
  while (const std::optional<Account::PathEntry> found = TRY(listing->next())) {
    JsonObject object("entry");
    add_entry(object, *found);
    console.event(object);
    if (!console.json()) console.print(long_line(*found, console));
    ++shown;
  }
  if (shown == 0 && top != "/")
    return Error{Code::kNotFound, "Snapshot " + short_id(snapshot) + " has no " + top + "."};
  return kOk;
}

Result<int> run_cat(const Common& common, const CatArgs& args, Console& console) {
  const Where where = split_where(args.where);
  if (where.path.empty()) return console.usage("Which file? Say cat SNAP:/FILE.");
  if (console.json()) return console.usage("cat writes the file itself; it has no --json.");
  const auto opened = TRY(open_account(common, console));
  const auto snapshot = TRY(opened->account().find_snapshot(args.vault, where.snapshot));
  TRY(opened->account().cat(args.vault, snapshot, where.path, STDOUT_FILENO));
  return kOk;
}

Result<int> run_diff(const Common& common, const DiffArgs& args, Console& console) {
  const auto opened = TRY(open_account(common, console));
  const auto from = TRY(opened->account().find_snapshot(args.vault, args.from));
  const auto to = TRY(opened->account().find_snapshot(args.vault, args.to));
  const auto old_list = TRY(opened->account().list(args.vault, from));
  const auto new_list = TRY(opened->account().list(args.vault, to));
  DiffPrinter printer(console);
  std::optional<Account::PathEntry> a = TRY(old_list->next());
  std::optional<Account::PathEntry> b = TRY(new_list->next());
  while (a || b) {
    const bool only_a = a && (!b || earlier(a->path, b->path));
    const bool only_b = b && (!a || earlier(b->path, a->path));
    if (only_a)
      printer.removed(*a);
    else if (only_b)
      printer.added(*b);
    else
      printer.both(*a, *b);
    if (!only_b) a = TRY(old_list->next());
    if (!only_a) b = TRY(new_list->next());
  }
  printer.summary();
  return kOk;
}

Result<int> run_find(const Common& common, const FindArgs& args, Console& console) {
  const Result<archive::Glob> glob = archive::Glob::parse(args.glob);
  if (!glob.ok()) return console.usage(glob.error().message);
  const auto opened = TRY(open_account(common, console));
  archive::Findings findings;
  std::map<std::string, Match> matches;
  for (const auto& snapshot : TRY(opened->account().snapshots(args.vault, findings))) {
    const auto listing = TRY(opened->account().list(args.vault, snapshot));
    while (std::optional<Account::PathEntry> found = TRY(listing->next_match(*glob))) {
      Match& match = matches[found->path];
      if (match.snapshots++ == 0) match.first_id = snapshot.id.hex();
      match.last_id = snapshot.id.hex();
      match.last_ms = snapshot.time_ms;
      match.newest = std::move(*found);
    }
  }
  for (const auto& [path, match] : matches) {
    JsonObject object("match");
    add_entry(object, match.newest);
    object.text("snapshot", match.last_id)
        .text("first_snapshot", match.first_id)
        .number("snapshots", match.snapshots);
    console.event(object);
    console.print(match.last_id.substr(0, kShortId) + "  " + human_time(match.last_ms) + "  " +
                  padded(std::to_string(match.newest.entry.size), 12) + "  " + console.path(path));
  }
  console.findings(findings, "open");
  if (matches.empty() && !console.json())
    console.say("Nothing in vault " + printable(args.vault) + " matches.");
  return findings.problems.empty() ? kOk : kIncomplete;
}

namespace {

// Packs and frames are large and live for a moment, in several threads. With a heap for each thread
// that keeps what was freed, a restore takes twice the memory that is in use.
void give_back_large_buffers() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, 8 * 1024 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 32 * 1024 * 1024);
}

}  // namespace

Result<int> run_restore(const Common& common, const RestoreArgs& args, Console& console) {
  const Where where = split_where(args.where);
  Account::RestoreOptions options;
  options.vault = args.vault;
  options.path = where.path;
  Result<std::vector<archive::Glob>> include = parse_globs(args.include);
  if (!include.ok()) return console.usage(include.error().message);
  options.include = std::move(*include);
  options.target.directory = args.target;
  const Result<archive::Overwrite> rule = overwrite_rule(args.overwrite);
  if (!rule.ok()) return console.usage(rule.error().message);
  options.target.overwrite = *rule;
  options.target.dry_run = args.dry_run;
  options.target.numeric_ids = args.numeric_ids;
  give_back_large_buffers();
  const auto opened = TRY(open_account(common, console));
  const auto snapshot = TRY(opened->account().find_snapshot(args.vault, where.snapshot));
  archive::Progress progress;
  std::optional<ProgressDisplay> display(std::in_place, console, progress, "restored");
  Result<Account::RestoreReport> report = opened->account().restore(snapshot, options, progress);
  const double seconds = display->seconds();
  display.reset();
  if (!report.ok()) return std::move(report).error();
  console.findings(report->findings, "restore");
  console.say((args.dry_run ? "Dry run, nothing was written: " : "Restored from snapshot ") +
              (args.dry_run ? "" : console.strong(short_id(snapshot)) + ": ") +
              human_count(report->files, "file", "files") + ", " + human_bytes(report->bytes) +
              " to " + printable(args.target) + "; " + std::to_string(report->skipped) +
              " left as they were; " + human_duration(seconds) + ".");
  console.event(JsonObject("summary")
                    .text("snapshot", snapshot.id.hex())
                    .path("target", args.target)
                    .number("files", report->files)
                    .number("bytes", report->bytes)
                    .number("skipped", report->skipped)
                    .number("problems", report->findings.problems.size())
                    .real("seconds", seconds)
                    .flag("dry_run", args.dry_run));
  if (report->findings.problems.empty()) return kOk;
  if (!console.json())
    console.warn(human_count(report->findings.problems.size(), "path", "paths") +
                 " could not be restored, as listed above, and nothing wrong was written in their "
                 "place; everything else is there.");
  // A damaged store is a failure, however much of it could still be used.
  const bool damaged =
      std::any_of(report->findings.problems.begin(), report->findings.problems.end(),
                  [](const archive::Problem& p) { return p.store_damaged; });
  return damaged ? kFailed : kIncomplete;
}

}  // namespace holdfast::app
