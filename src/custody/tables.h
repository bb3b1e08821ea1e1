// The custodian's memory: which keys it gave out, what it verified of the accounts that have them.
#pragma once

#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "crypto/ed25519.h"
#include "custody/format.h"
#include "sql/sqlite.h"

namespace holdfast::custody {

// The order of a key's life. Each step is durable before the next begins, so a process that is
// killed between two goes on from where it was:
enum class KeyState : std::uint8_t {
  kMaking = 1,  // its object is about to be made in the token; nobody was given it
  kLive,        // it may be in use: nothing but kEnding, after a proof, may end it
  kEnding,      // decided: the object must go, if it has not
  kEnded,       // the object is gone; the receipt says so
};

// Everything that is kept of one key. Numbers count an account's keys from 1.
struct KeyRow {
  CircleId circle;
  std::uint64_t number = 0;
  KeyState state = KeyState::kMaking;
  TimeMs issued_ms = 0;
  ReaderId reader;  // from kLive on
  Bytes info;       // encoded circle::CustodianInfo
  Bytes seed;       // sealed by the token; empty once it is ended
  // kEnding: an encoded circle::DeletionReceipt without its time, or nothing where the key was
  // never used. kEnded: the encoded SignedReceipt.
  Bytes receipt;
};

// One thread at a time. kCorrupt: the memory is damaged.
class Tables {
 public:
  static Result<Tables> open(const std::string& path);

  // Whose memory it is, and whether the token was marked as its. nullopt: nobody's yet.
  struct Holder {
    crypto::Ed25519PublicKey fleet;
    bool marked = false;
  };
  Result<std::optional<Holder>> holder();
  Result<void> put_holder(const Holder& holder);

  Result<std::optional<KeyRow>> newest_key(const CircleId& circle);
  Result<std::optional<KeyRow>> key(const CircleId& circle, const ReaderId& reader);
  Result<void> put_key(const KeyRow& row);
  // And what is kept of its account, where that has no other.
  Result<void> erase_key(const KeyRow& row);
  Result<std::vector<KeyRow>> ending_keys();
  // Begun, or given out and never kept, before `before`.
  Result<std::vector<KeyRow>> unused_keys(TimeMs before, std::size_t limit);
  Result<std::uint64_t> count_unused();

  // That a statement names this key: it is in use, and retired no more.
  Result<void> keep(const CircleId& circle, const ReaderId& reader);
  // That the service says that the account is gone; the first time counts.
  Result<void> retire(const CircleId& circle, const ReaderId& reader, TimeMs now);
  Result<std::vector<KeyRow>> retired_keys(TimeMs before, std::size_t limit);

  // Of a circle: proven, and after them those that were shown and are not.
  Result<std::uint64_t> count_statements(const CircleId& circle);
  // Some of both, from number `from` on; none: there are no more.
  Result<std::vector<Bytes>> statements(const CircleId& circle, std::uint64_t from);
  Result<void> show(const CircleId& circle, std::uint64_t from,
                    const std::vector<Bytes>& statements);
  Result<void> forget_shown(const CircleId& circle);

  Result<Pins> pins();
  Result<void> put_pins(const Pins& pins);

  // The decision to end a key, with the statements that it follows from. All or nothing.
  Result<void> end_key(const KeyRow& row, std::uint64_t from, const std::vector<Bytes>& statements);
  // What was shown is proven, and these that follow it.
  Result<void> keep_statements(const CircleId& circle, std::uint64_t from,
                               const std::vector<Bytes>& statements);

  // Keys that are live, and those that are ending.
  struct Counts {
    std::uint64_t live = 0;
    std::uint64_t ending = 0;
  };
  Result<Counts> counts();

  sql::Database& database() { return database_; }  // for the tables of releases

 private:
  Result<void> prove(const CircleId& circle, std::uint64_t from,
                     const std::vector<Bytes>& statements);
  explicit Tables(sql::Database database) : database_(std::move(database)) {}
  sql::Database database_;
};

}  // namespace holdfast::custody
