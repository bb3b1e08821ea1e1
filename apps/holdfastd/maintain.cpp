#include "maintain.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "server/maintenance.h"

namespace holdfast::daemon {
namespace {

using Json = nlohmann::ordered_json;

void print(const Json& object) {
  std::printf("%s\n", object.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

void name_packs(const Options& options, const char* what,
                const std::vector<server::PackOf>& packs) {
  for (const server::PackOf& pack : packs) {
    if (options.json) {
      print({{"event", what}, {"account", pack.account}, {"pack", pack.pack.hex()}});
    } else {
      std::printf("%s: pack %s of an account\n", what, pack.pack.hex().c_str());
    }
  }
}

bool report(const Options& options, const server::CopyReport& copy, const char* what) {
  name_packs(options, "missing", copy.missing);
  name_packs(options, "damaged", copy.damaged);
  if (options.json) {
    print({{"event", what},
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

}  // namespace

Result<bool> check(const Options& options, double percent) {
  server::CheckOptions wanted;
  wanted.percent = percent;
  const auto found = TRY(server::check_store(options.data, wanted));
  for (const std::string& problem : found.database) {
    if (options.json) {
      print({{"event", "database"}, {"problem", problem}});
    } else {
      std::printf("database: %s\n", problem.c_str());
    }
  }
  name_packs(options, "missing", found.missing);
  name_packs(options, "damaged", found.damaged);
  if (options.json) {
    print({{"event", "summary"},
           {"ok", found.good()},
           {"packs", found.packs},
           {"bytes", found.bytes},
           {"read", found.read},
           {"orphans", found.orphans}});
  } else {
    std::printf("%llu packs, %llu of them read. %s\n", static_cast<unsigned long long>(found.packs),
                static_cast<unsigned long long>(found.read),
                found.good() ? "Everything is there and whole."
                             : "A missing pack is sent again by a device that still has its files, "
                               "at its next backup; bring a damaged one back from a backup.");
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
