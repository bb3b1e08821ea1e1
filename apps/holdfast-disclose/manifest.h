// The manifest of a bundle: what was opened under which order, what was not and why.
#pragma once

#include "case_folder.h"
#include "selection.h"

namespace holdfast::disclose {

struct ListedFile {
  std::string path;  // in the tar
  std::uint64_t size = 0;
  Digest sha256;
  std::int64_t mtime_s = 0;
};

struct OpenedSnapshot {
  Chosen chosen;
  std::int64_t finished_ms = 0;  // by the device's clock
  std::uint64_t files = 0;
  std::string folder;  // in the tar
};

struct OpenedVault {
  circle::Vault vault;
  std::uint32_t epoch = 0;
  std::vector<OpenedSnapshot> snapshots;
  std::vector<Withheld> withheld;
};

struct Opened {
  std::vector<OpenedVault> vaults;
  std::vector<ListedFile> files;
  std::set<PackId> packs;
  Digest tar;
  std::uint64_t tar_bytes = 0;
};

// "2026-11-24T10:30:05Z"
std::string utc(std::int64_t ms);
// JSON, one line a list's item.
std::string manifest_of(const OrderedCase& from, const Opened& opened, std::int64_t now_ms);
// What sha256sum -c reads.
std::string sums_of(const std::vector<ListedFile>& files);
// What a statement that no key exists comes to, likewise.
std::string statement_of(const ReadCase& read, const lawful::NoKey& what);

}  // namespace holdfast::disclose
