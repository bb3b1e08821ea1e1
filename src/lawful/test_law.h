// For tests of this module: the jurisdictions as they ship, and demands under them.
#pragma once

#include <fstream>
#include <iterator>
#include <string>

#include "lawful/check.h"
#include "lawful/trail.h"

namespace holdfast::lawful::testkit {

constexpr TimeMs kToday = 1'796'083'200'000;  // 2026-12-01

inline std::string shipped(const std::string& name) {
  std::ifstream file(std::string(HF_VECTORS_DIR) + "/../../jurisdictions/" + name + ".toml");
  return {std::istreambuf_iterator<char>(file), {}};
}

inline Law law_of(std::initializer_list<const char*> names) {
  std::vector<std::vector<Instrument>> all;
  for (const char* name : names) {
    all.push_back(read_jurisdiction(as_bytes(shipped(name))).value());
  }
  return Law::make(std::move(all)).value();
}
inline Law whole_law() { return law_of({"uk", "us", "uk-us", "eu", "ca", "mlat", "civil"}); }

inline Demand demand_of(const std::string& text) { return read_demand(as_bytes(text)).value(); }

// A search warrant of the United States for content of "bob"; `more` goes before [target].
inline std::string warrant(const std::string& more = "",
                           const std::string& target = "account = \"bob\"") {
  return "instrument = \"us-search-warrant\"\nreference = \"25-MJ-1\"\nissuer = \"D. Mass.\"\n"
         "role = \"court\"\nissued = 2026-11-20\nattests = [\"probable-cause\"]\n"
         "classes = [\"subscriber\", \"connection\", \"metadata\", \"content\"]\n" +
         more + "[target]\n" + target + "\n";
}
inline std::string subpoena(const std::string& reference, const std::string& more = "") {
  return "instrument = \"us-subpoena\"\nreference = \"" + reference +
         "\"\nissuer = \"N.D. Cal.\"\nrole = \"grand-jury\"\nissued = 2026-11-20\n"
         "classes = [\"subscriber\", \"connection\"]\n" +
         more + "[target]\naccount = \"bob\"\n";
}

// "bob", at the standard level, with two vaults of which one is always end-to-end encrypted.
inline Facts bob(const std::string& region = "GB") {
  Facts facts;
  facts.found = true;
  facts.region = region;
  facts.standard = true;
  facts.devices = {"phone", std::string(64, 'a')};
  facts.device_count = 1;
  facts.connections = 5;
  facts.packs = 3;
  facts.bytes = 1000;
  facts.snapshots = 2;
  facts.vaults = {{"documents", false, true, 1}, {"diary", true, false, 1}};
  return facts;
}

}  // namespace holdfast::lawful::testkit
