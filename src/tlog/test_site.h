// For tests: a log with witnesses and an auditor, keys from numbers.
#pragma once

#include "tlog/checkpoint.h"

namespace holdfast::tlog::testkit {

inline crypto::Key<crypto::Ed25519Purpose> seed(std::uint8_t number) {
  return crypto::Key<crypto::Ed25519Purpose>::from_bytes(Bytes(32, number));
}

inline KeyHolder holder(const NoteKey& key) { return {key.name, key.key.bytes}; }

struct TestSite {
  explicit TestSite(std::size_t count = 3, std::uint32_t quorum = 2) {
    for (std::size_t i = 0; i < count; ++i)
      witnesses.emplace_back("witness.example/w" + std::to_string(i),
                             seed(static_cast<std::uint8_t>(10 + i)));
    roots.log = holder(log.key());
    for (const Cosigner& witness : witnesses) roots.witnesses.push_back(holder(witness.key()));
    roots.quorum = quorum;
    roots.auditors.push_back({"auditor.example", crypto::Ed25519Key(seed(99)).public_key().bytes});
  }

  TrustedLog trusted() const { return *TrustedLog::open(roots); }

  // Signed by the log, and by the first witnesses at the times given.
  Note checkpoint(const TreeHead& head, const std::vector<std::uint64_t>& times) const {
    const std::string text = CheckpointText{log.key().name, head, {}}.format();
    Note note{text, {log.sign(text)}};
    for (std::size_t i = 0; i < times.size(); ++i)
      note.signatures.push_back(witnesses[i].cosign(text, times[i]));
    return note;
  }

  Result<Checkpoint> verify(const Note& note) const {
    return Checkpoint::verify(trusted(), as_bytes(note.format()));
  }

  LogSigner log{"log.example/1", seed(1)};
  std::vector<Cosigner> witnesses;
  LogRoots roots;
};

}  // namespace holdfast::tlog::testkit
