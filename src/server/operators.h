// Who may operate the service: keys, and a trail of every change among them that can only grow.
//
// An entry is hash-linked to the one before and signed by the operator who acts, so whoever holds
// the database cannot change, drop from the middle, or insert an entry. Dropping the newest ones
// shows against a head that was noted elsewhere; replacing all of them against the anchor.
//
// An operator's private key stays in the program that the operator runs: it reads the entries,
// verifies them, signs the next one and hands that over to be appended.
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
  std::string by;  // the name of whoever added it
};

// One entry, once it was verified.
struct Act {
  TrailEntry entry;
  std::string by;  // the name of whoever signed it
  Digest head;     // of the trail that ends with it
};

// The id under which an entry names its signer.
Digest operator_id(const crypto::VerifyKey& key);

// What a whole trail says, once each entry was verified.
class Trail {
 public:
  // kUnsafe: an entry was changed or breaks a rule; kCorrupt: it is no entry.
  static Result<Trail> verify(const std::vector<Bytes>& entries);

  std::uint64_t n() const { return acts_.size(); }
  Digest head() const { return acts_.empty() ? Digest() : acts_.back().head; }
  Digest anchor() const { return acts_.empty() ? Digest() : acts_.front().head; }
  const std::vector<Act>& acts() const { return acts_; }
  const std::map<Digest, Operator>& operators() const { return operators_; }
  // nullptr.
  const Operator* named(std::string_view name) const;

  // The next entry, for Operators::append. The first operator adds itself: `acting` is its own key.
  // kDenied: `acting` is no operator's; kConflict: the name is taken or the key was an operator's
  // before.
  Result<Bytes> sign_add(const std::string& name, const crypto::VerifyKey& key,
                         const crypto::SigningKey& acting, TimeMs now) const;
  // kNotFound; kInvalid for the last one, who could not be replaced.
  Result<Bytes> sign_revoke(const std::string& name, const crypto::SigningKey& acting,
                            TimeMs now) const;
  // kGrantHelp or kRefuseHelp of the request with this code.
  Result<Bytes> sign_help(OperatorAct act, const std::string& code,
                          const crypto::SigningKey& acting, TimeMs now) const;
  // By the same rules, with their errors. kConflict also: it was signed for another head.
  Result<void> apply(BytesView signed_entry);

 private:
  Trail() = default;
  Result<Bytes> sign(TrailEntry entry, const crypto::SigningKey& acting) const;
  Result<void> judge(const TrailEntry& entry) const;

  std::vector<Act> acts_;
  std::map<Digest, Operator> operators_;
  std::map<Digest, std::string> ever_;
};

// Whether the trail begins with the entry whose head stands in `file`. kUnsafe.
Result<void> check_anchor(const Trail& trail, const std::string& file);

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

  // As they stand there, oldest first; Trail::verify and check_anchor judge them.
  Result<std::vector<Bytes>> entries();
  // Durable once it returns. Verifies the trail anew, and against the anchor. kConflict: the trail
  // is another by now than the one that the entry was signed for. Else as Trail::apply.
  Result<void> append(BytesView signed_entry);
  // The same as a part of another write.
  Result<Act> append_within(sql::Database& database, BytesView signed_entry);

 private:
  Writer& writer_;
  const std::string anchor_file_;
};

}  // namespace holdfast::server
