// The audit chain of lawful demands, and the state of each matter in it. An entry is hash-linked to
// the one before, commits to what the step seals, and is signed by the operator who acts: whoever
// holds the database cannot edit, drop from the middle, or reorder. Dropping the newest ones shows
// against the heads that went into the public log (head.h).
//
// Decisions are here and nowhere else: who may approve, what may follow what.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "lawful/demand.h"
#include "lawful/order.h"

namespace holdfast::lawful {

// Who was an operator when: the trail of operators, as far as this module asks.
struct Roster {
  struct Tenure {
    Digest id;
    std::string name;
    crypto::VerifyKey key;
    std::uint64_t from = 0;                // the act by which it became one
    std::optional<std::uint64_t> until{};  // and by which it was one no more
  };
  std::vector<Digest> heads;  // heads[n - 1]: of the trail of operators after act n
  std::vector<Tenure> tenures;
  // nullptr: whoever has this id was no operator after act `n`.
  const Tenure* at(std::uint64_t n, const Digest& id) const;
};

enum class State { kReceived, kChecked, kChallenged, kApproved, kProduced, kRefused, kClosed };
std::string_view name_of(State state);

struct Act {
  Entry entry;
  Bytes document;
  std::string by;  // the operator's name
  Digest head;     // of the trail that ends with it
};

struct Matter {
  std::uint64_t n = 0;
  State state = State::kReceived;
  Demand demand;
  Bytes demand_bytes;
  TimeMs received_ms = 0;
  Digest receiver;
  std::uint64_t operators_n = 0;  // of the trail of operators, when it was received
  std::optional<CheckedDocument> checked;
  Digest checked_digest;           // of that document
  std::set<Digest> approvers;      // of the check that stands
  std::vector<std::string> names;  // theirs
  std::vector<Bytes> signatures;   // theirs, of the order; none where there is no order
  bool challenged = false;         // ever
  bool refused = false;
  std::vector<ProducedDocument> produced;
  std::optional<PreservedDocument> preserved;
  std::vector<std::pair<std::string, TimeMs>> stages;
  std::optional<TimeMs> ended_ms;  // refused or closed

  bool content_produced() const;
  // What the custodian and the disclosure machine judge once more; kDenied: there is no order, or
  // two have not signed it.
  Result<Bytes> signed_order() const;
  bool open() const { return state != State::kClosed && state != State::kRefused; }
};

struct SignedStep {
  Bytes entry;
  Bytes document;
};

class Trail {
 public:
  explicit Trail(Roster roster) : roster_(std::move(roster)) {}
  // kUnsafe: an entry was edited, removed or reordered, or breaks a rule; kCorrupt: it is none.
  static Result<Trail> verify(const std::vector<SignedStep>& steps, Roster roster);

  std::uint64_t n() const { return acts_.size(); }
  Digest head() const { return acts_.empty() ? Digest() : acts_.back().head; }
  const std::vector<Act>& acts() const { return acts_; }
  const std::map<std::uint64_t, Matter>& matters() const { return matters_; }
  std::uint64_t next_matter() const { return matters_.size() + 1; }
  // kNotFound.
  Result<Matter> matter(std::uint64_t n) const;
  // Until when nobody may hear of it, by its own demand and by orders of secrecy about it; nullopt:
  // there is no such day, or it is over. INT64_MAX: nothing says when it ends.
  std::optional<TimeMs> gag_of(const Matter& matter, TimeMs now) const;

  // The next entry. kDenied: `acting` is not an operator's key now, received what it would approve,
  // or approved already. kConflict: the matter is in another state, or the reference was used.
  Result<SignedStep> sign(Step step, std::uint64_t matter, Bytes document,
                          const crypto::SigningKey& acting, TimeMs now) const;
  // By the same rules, and that it was signed for this head.
  Result<void> apply(const SignedStep& step);

 private:
  Result<void> judge(const Entry& entry, BytesView document) const;
  Result<Matter> after(const Entry& entry, BytesView document) const;

  Roster roster_;
  std::vector<Act> acts_;
  std::map<std::uint64_t, Matter> matters_;
};

Digest document_digest(BytesView document);
Digest entry_head(BytesView signed_entry);  // of a trail that ends with it

}  // namespace holdfast::lawful
