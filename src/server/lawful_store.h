// The trail of lawful demands, in a database of its own: DATA/lawful.db, made by the first step,
// and what binds it to the public log. Decisions are lawful::Trail's; here it is kept.
//
// Whoever controls the service can lose or withhold the trail, and take its newest entries away. It
// cannot change what it bound to the public log on an earlier day without that showing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "lawful/trail.h"
#include "server/operators.h"
#include "sql/sqlite.h"

namespace holdfast::server {

// Who was an operator when, as the verified trail of operators has it.
lawful::Roster roster_of(const Trail& operators);

// What a day's entry in the public log has; it hides the opening.
Digest head_commitment(BytesView opening);

// Safe from several threads.
class LawfulStore {
 public:
  // `operators` and its anchor as in Operators.
  LawfulStore(std::string data, Operators& operators)
      : path_(data + "/lawful.db"), anchor_(data + "/operators.anchor"), operators_(operators) {}

  // Nothing was ever received here.
  bool begun() const;
  // Verified. kUnsafe: it was changed.
  Result<lawful::Trail> trail();
  Result<std::vector<lawful::SignedStep>> steps();
  // Durable once it returns. By the rules of lawful::Trail, and signed by who is an operator now.
  // kConflict: another step came first.
  Result<void> append(const lawful::SignedStep& step);

  // The opening for today's entry in the public log, once a day; nullopt: today has one, or nothing
  // ever began. Stored before it is returned: what is not in the log afterwards, was never bound.
  Result<std::optional<Bytes>> next_head(TimeMs now);
  // All openings, the oldest first.
  Result<std::vector<Bytes>> openings();

 private:
  Result<lawful::Roster> roster();
  Result<std::vector<lawful::SignedStep>> read() HF_REQUIRES(mutex_);
  Result<std::vector<Bytes>> read_openings() HF_REQUIRES(mutex_);
  Result<sql::Database*> database() HF_REQUIRES(mutex_);

  const std::string path_;
  const std::string anchor_;
  Operators& operators_;
  Mutex mutex_;
  std::optional<sql::Database> database_ HF_GUARDED_BY(mutex_);
};

}  // namespace holdfast::server
