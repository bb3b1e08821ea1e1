// What a witness decides (C2SP tlog-witness, add-checkpoint): the request, the answer, and the rule
// between them, pure. Storing the new state before the answer leaves, in one step with the look at
// the old, is the caller's.
//
// A witness trusts nobody: it cosigns a checkpoint that follows from the last one it cosigned.
// Whoever controls a witness's key can cosign forks; the quorum is there for that.
#pragma once

#include "tlog/checkpoint.h"

namespace holdfast::tlog {

constexpr std::size_t kMaxAddCheckpoint = kMaxNote + 4096;

struct AddCheckpoint {
  std::uint64_t old_size = 0;
  Proof proof;
  Note note;
  CheckpointText checkpoint;  // what the note says, unverified

  static Result<AddCheckpoint> parse(BytesView body);
  std::string format() const;
};

// A log that a witness was told of, and the newest tree that it cosigned.
struct WitnessedLog {
  std::vector<NoteKey> keys;
  TreeHead latest;
};

struct WitnessAnswer {
  int status = 0;
  std::string content_type;
  std::string body;
  std::optional<TreeHead> latest;  // to be stored first; only with status 200
};

// `log` is what stands under the request's origin; nullptr where that is unknown.
WitnessAnswer answer_add_checkpoint(const AddCheckpoint& request, const WitnessedLog* log,
                                    const Cosigner& cosigner, std::uint64_t now_s);
// For a body that parse() refuses.
WitnessAnswer refuse_add_checkpoint(const Error& why);

// The log's side: the size in an answer 409, to begin again from.
Result<std::uint64_t> parse_size(std::string_view body);

}  // namespace holdfast::tlog
