// Who may operate the service: keys, and a trail of every change among them that can only grow.
//
// An entry is hash-linked to the one before and signed by the operator who acts, so whoever holds
// the database cannot change, drop from the middle, or insert an entry. Dropping the newest ones
// shows against a head that was noted elsewhere; replacing all of them against the anchor.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "server/format.h"
#include "server/writer.h"

namespace holdfast::server {

struct Operator {
  std::string name;
  crypto::VerifyKey key;
  TimeMs added_ms = 0;
};

// The id under which an entry names its signer.
Digest operator_id(const crypto::VerifyKey& key);

// What a whole trail says, once each entry was verified.
class Trail {
 public:
  // kUnsafe: an entry was changed or breaks a rule; kCorrupt: it is no entry.
  static Result<Trail> verify(const std::vector<Bytes>& entries);

  std::uint64_t n() const { return n_; }
  const Digest& head() const { return head_; }      // after the newest entry
  const Digest& anchor() const { return anchor_; }  // head after the first entry
  const std::map<Digest, Operator>& operators() const { return operators_; }
  // nullptr.
  const Operator* named(std::string_view name) const;

 private:
  friend class Operators;
  Trail() = default;
  Result<void> apply(BytesView signed_entry);
  Result<void> judge(const TrailEntry& entry) const;

  std::uint64_t n_ = 0;
  Digest head_;
  Digest anchor_;
  std::map<Digest, Operator> operators_;
  std::map<Digest, std::string> ever_;
};

// 32 random bytes, written as hexadecimal with mode 0600. kConflict: the file exists.
Result<crypto::SigningKey> make_operator_key(const std::string& path);
Result<crypto::SigningKey> read_operator_key(const std::string& path);

// Safe from several threads.
class Operators {
 public:
  static const std::string kSchema;

  // `anchor_file` keeps the hexadecimal of the trail's anchor beside the database.
  Operators(Writer& writer, std::string anchor_file)
      : writer_(writer), anchor_file_(std::move(anchor_file)) {}

  // Verified anew, and against the anchor.
  Result<Trail> trail();
  // The first operator adds itself: `acting` is its own key. kDenied: `acting` is no operator's;
  // kConflict: the name is taken or the key was an operator's before.
  Result<void> add(const std::string& name, const crypto::VerifyKey& key,
                   const crypto::SigningKey& acting, TimeMs now);
  // kNotFound; kInvalid for the last one, who could not be replaced.
  Result<void> revoke(const std::string& name, const crypto::SigningKey& acting, TimeMs now);

 private:
  Result<Trail> load(sql::Database& database);
  Result<void> check_anchor(const Trail& trail);
  Result<void> append(sql::Database& database, Trail trail, TrailEntry entry,
                      const crypto::SigningKey& acting);

  Writer& writer_;
  const std::string anchor_file_;
};

}  // namespace holdfast::server
