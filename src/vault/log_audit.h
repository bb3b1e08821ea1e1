// The whole of a log, checked by anyone from its public files: no account, no key, no network.
#pragma once

#include <functional>

#include "tlog/checkpoint.h"
#include "vault/log_format.h"

namespace holdfast::vault {

// A file of the log by its path ("checkpoint", "tile/entries/000", "map/1"); kNotFound.
using ReadLogFile = std::function<Result<Bytes>(const std::string& path)>;

struct LogAudit {
  std::string name;
  std::uint64_t entries = 0;
  std::uint64_t epochs = 0;
  std::uint64_t map_entries = 0;
  std::uint64_t policies = 0;
  std::uint64_t releases = 0;  // batches
  std::uint64_t receipts = 0;
  std::uint64_t custody_keys = 0;
  std::uint64_t trust_changes = 0;
  std::uint64_t lawful_heads = 0;
  std::uint64_t lawful_reports = 0;
  std::vector<tlog::SoftwareRelease> software;
  std::size_t witnesses = 0;
  std::size_t quorum = 0;
  std::optional<tlog::ProvenTime> time;
};

// Every entry makes the signed tree; each map epoch follows the one before, its delta only inserts
// and makes its root; release batches and policies are numbered without a gap, and each signed
// policy is the one that its entry names; no receipt stands there twice; each change of trust roots
// names a log; what owes seven days of notice gave them, as far as the checkpoints that the log
// kept for that can still be verified by `roots`. kUnsafe, kCorrupt: what is wrong. `roots`: whom
// to believe; the files cannot say that of themselves.
Result<LogAudit> verify_log(const ReadLogFile& read, const tlog::LogRoots& roots);

// S8: the release of software that has a file with this SHA-256; nullptr: the log has none.
const tlog::SoftwareRelease* find_release(const LogAudit& audit, const Digest& file);

// What the evidence proves, as a sentence. kInvalid: it proves nothing.
Result<std::string> verify_evidence(const Evidence& evidence);

}  // namespace holdfast::vault
