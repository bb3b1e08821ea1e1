// Which log a site has and who watches it: the part of the trust roots that concerns the log.
//
// Holding a TrustedLog means that the roots make sense: names and keys are distinct, and there are
// witnesses enough for the quorum. Whose keys they are is the person's decision, made when the
// account was opened and changed only by a trust leaf (docs/formats/tlog.md#leaves).
#pragma once

#include "tlog/format.h"
#include "tlog/note.h"

namespace holdfast::tlog {

class TrustedLog {
 public:
  // kInvalid, with the reason, where the roots do not make sense.
  static Result<TrustedLog> open(const LogRoots& roots);

  const std::string& origin() const { return log_.name; }
  const NoteKey& log() const { return log_; }
  const std::vector<NoteKey>& witnesses() const { return witnesses_; }
  // How many witnesses must have signed; fewer of them than that are assumed to lie. 0 where
  // nobody outside watches: no time is proven then, and no fork but those own devices see.
  std::size_t quorum() const { return quorum_; }
  const std::vector<KeyHolder>& auditors() const { return auditors_; }

 private:
  TrustedLog() = default;
  NoteKey log_;
  std::vector<NoteKey> witnesses_;
  std::size_t quorum_ = 0;
  std::vector<KeyHolder> auditors_;
};

}  // namespace holdfast::tlog
