// Looking after a data directory: is everything there and whole, a copy of it, and back from one.
//
// A backup is a folder:
//
//   holdfast-backup      written last: without it, the backup is not complete
//   service-<hash>.db    everything but packs, of one moment
//   packs/               as in the data directory
//   files/               small files that lie beside the database
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"

namespace holdfast::server {

struct PackOf {
  std::string account;
  PackId pack;
  auto operator<=>(const PackOf&) const = default;
};

// Files that no row names: what a crash may leave.
enum class Orphans { kReport, kRemove };
// kSetAside: to DIR/damaged/, so that devices see the pack missing and send it again.
enum class Damaged { kReport, kSetAside };

struct CheckOptions {
  double percent = 100;  // of the packs are read; others every time
  Orphans orphans = Orphans::kReport;
  Damaged damaged = Damaged::kReport;
  TimeMs orphan_age_ms = 60 * 60 * 1000;  // younger files may still get their row
};

struct CheckReport {
  std::vector<std::string> database;  // what is wrong with it
  std::uint64_t packs = 0;
  std::uint64_t bytes = 0;
  std::uint64_t read = 0;       // packs that were read and compared with their names
  std::vector<PackOf> missing;  // there is no file
  std::vector<PackOf> damaged;  // the file has another size or content
  std::uint64_t orphans = 0;
  std::uint64_t orphan_bytes = 0;

  bool good() const { return database.empty() && missing.empty() && damaged.empty(); }
};

// Of a data directory, also while a service runs on it, or of a backup. What changes anything
// needs the directory for itself: kUnavailable when a service has it.
Result<CheckReport> check_store(const std::string& data, const CheckOptions& options);

struct CopyReport {
  std::uint64_t packs = 0;
  std::uint64_t bytes = 0;
  std::uint64_t copied = 0;     // packs that were not there yet
  std::vector<PackOf> missing;  // named by the database, but without a file
  std::vector<PackOf> damaged;  // not copied

  bool good() const { return missing.empty() && damaged.empty(); }
};

// Into `target`, which is empty, absent or an earlier backup; that one stays whole until the new
// one is, and only new packs are copied. On one file system packs are shared (hard links): such a
// backup helps against mistakes, not against a broken disk. A service may run meanwhile.
Result<CopyReport> backup_store(const std::string& data, const std::string& target);

// kNotFound: no complete backup. kCorrupt: its database was changed. kInvalid: `data` is not empty.
Result<CopyReport> restore_store(const std::string& backup, const std::string& data);

}  // namespace holdfast::server
