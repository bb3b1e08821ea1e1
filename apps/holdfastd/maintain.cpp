#include "maintain.h"

#include <cstdio>
#include "json.h"

namespace holdfast::daemon {
namespace {

void name_packs(const Options& options, const char* what,
                const std::vector<server::PackOf>& packs) {
  for (const server::PackOf& pack : packs) {
    if (options.json) {
      print_line({{"event", what}, {"account", pack.account}, {"pack", pack.pack.hex()}});
    } else {
      std::printf("%s: pack %s of an account\n", what, pack.pack.hex().c_str());
    }
  }
}

bool report(const Options& options, const server::CopyReport& copy, const char* what) {
  name_packs(options, "missing", copy.missing);
  name_packs(options, "damaged", copy.damaged);
  if (options.json) {
    print_line({{"event", what},
                {"ok", copy.good()},
                {"packs", copy.packs},
                {"bytes", copy.bytes},
                {"copied", copy.copied}});
  } else {
    std::printf("%s: %llu packs, %llu bytes; %llu packs were copied\n", what,
                static_cast<unsigned long long>(copy.packs),
                static_cast<unsigned long long>(copy.bytes),
                static_cast<unsigned long long>(copy.copied));
  }
  return copy.good();
}

bool sets_aside(const server::CheckOptions& wanted) {
  return wanted.damaged == server::Damaged::kSetAside;
}
bool removes(const server::CheckOptions& wanted) {
  return wanted.orphans == server::Orphans::kRemove;
}

// What was found, and what to do about it.
void advise(const Options& options, const server::CheckOptions& wanted,
            const server::CheckReport& found) {
  std::printf("%llu packs, %llu of them read.%s\n", static_cast<unsigned long long>(found.packs),
              static_cast<unsigned long long>(found.read),
              found.good() ? " Everything is there and whole." : "");
  if (!found.database.empty())
    std::puts("Keep what there is, and restore the newest backup into an empty directory.");
  if (!found.missing.empty())
    std::puts(
        "Put a missing pack back from a backup, or have a backup made on a device that still has "
        "the files: it sends its content again, in new packs. The lost one stays named here.");
  if (!found.damaged.empty() && sets_aside(wanted)) {
    std::printf("The damaged packs are in %s/damaged now and are missing from here on.\n",
                options.data.c_str());
  } else if (!found.damaged.empty()) {
    std::puts(
        "Put a damaged pack back from a backup. If there is none, stop the service and run check "
        "with --set-aside: devices see the pack missing then, and send its content again.");
  }
  if (found.orphans == 0) return;
  std::printf(
      "%llu files, %llu bytes, are no pack that the database names: a crash left them. %s\n",
      static_cast<unsigned long long>(found.orphans),
      static_cast<unsigned long long>(found.orphan_bytes),
      removes(wanted) ? "They were removed."
                      : "They do no harm; with the service stopped, check --remove-orphans "
                        "frees the room.");
}

}  // namespace

Result<bool> check(const Options& options, const server::CheckOptions& wanted) {
  const auto found = TRY(server::check_store(options.data, wanted));
  for (const std::string& problem : found.database) {
    if (options.json) {
      print_line({{"event", "database"}, {"problem", problem}});
    } else {
      std::printf("database: %s\n", problem.c_str());
    }
  }
  name_packs(options, "missing", found.missing);
  name_packs(options, "damaged", found.damaged);
  if (options.json) {
    print_line({{"event", "summary"},
                {"ok", found.good()},
                {"packs", found.packs},
                {"bytes", found.bytes},
                {"read", found.read},
                {"orphans", found.orphans},
                {"orphan_bytes", found.orphan_bytes},
                {"set_aside", sets_aside(wanted) ? found.damaged.size() : 0},
                {"removed", removes(wanted) ? found.orphans : 0}});
  } else {
    advise(options, wanted, found);
  }
  return found.good();
}

Result<bool> backup(const Options& options, const std::string& target) {
  return report(options, TRY(server::backup_store(options.data, target)), "backup");
}

Result<bool> restore(const Options& options, const std::string& backup) {
  return report(options, TRY(server::restore_store(backup, options.data)), "restore");
}

}  // namespace holdfast::daemon
