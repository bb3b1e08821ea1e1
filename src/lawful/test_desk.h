// For tests of this module: operators, and a trail in which they act.
#pragma once

#include <map>

#include "crypto/hash.h"
#include "lawful/test_law.h"

namespace holdfast::lawful::testkit {

inline crypto::SigningKey new_key() {
  return crypto::SigningKey(crypto::Key<crypto::SigningPurpose>::random());
}

// Anna, Ben and Carl operate; Dan was revoked before anything began.
class TestDesk {
 public:
  TestDesk() {
    for (const char* name : {"anna", "ben", "carl", "dan"}) hire(name);
    dismiss("dan");
    trail.emplace(roster);
  }

  void hire(const std::string& name) {
    keys.emplace(name, new_key());
    roster.heads.push_back(crypto::sha256(as_bytes(name + std::to_string(roster.heads.size()))));
    const crypto::VerifyKey key = keys.at(name).verify_key();
    roster.tenures.push_back(
        {crypto::sha256("holdfast/v1/operator/id", key.bytes), name, key, roster.heads.size(), {}});
  }
  void dismiss(const std::string& name) {
    roster.heads.push_back(crypto::sha256(as_bytes("no " + name)));
    for (Roster::Tenure& one : roster.tenures)
      if (one.name == name) one.until = roster.heads.size();
  }
  // The same entries, judged by the operators of now.
  void reopen() { trail = Trail::verify(steps, roster).value(); }

  Result<void> act(const std::string& who, Step step, std::uint64_t matter, Bytes document) {
    SignedStep made = TRY(trail->sign(step, matter, std::move(document), keys.at(who), now));
    TRY(trail->apply(made));
    steps.push_back(std::move(made));
    return Ok{};
  }
  Result<std::uint64_t> receive(const std::string& who, const std::string& demand) {
    ReceivedDocument document;
    document.demand = to_bytes(as_bytes(demand));
    const std::uint64_t n = trail->next_matter();
    TRY(act(who, Step::kReceive, n, wire::encode(document)));
    return n;
  }
  Result<void> check(const std::string& who, std::uint64_t n, const Facts& facts) {
    const Matter matter = TRY(trail->matter(n));
    return act(who, Step::kCheck, n,
               wire::encode(lawful::check(law, matter.demand, facts, now).document));
  }
  Result<void> approve(const std::string& who, std::uint64_t n) {
    ApprovedDocument document;
    document.checked = trail->matter(n).value().checked_digest;
    return act(who, Step::kApprove, n, wire::encode(document));
  }
  Result<void> note(const std::string& who, Step step, std::uint64_t n) {
    NoteDocument document;
    document.text = "because";
    return act(who, step, n, wire::encode(document));
  }
  Result<void> produce(const std::string& who, std::uint64_t n, bool content = false) {
    ProducedDocument document;
    document.content = content;
    document.items = 1;
    return act(who, Step::kProduce, n, wire::encode(document));
  }
  Result<void> stage(const std::string& who, std::uint64_t n, const std::string& name) {
    StageDocument document;
    document.stage = name;
    return act(who, Step::kStage, n, wire::encode(document));
  }
  // A subpoena, as far as two approvals.
  std::uint64_t approved(const std::string& reference, const std::string& more = "") {
    const std::uint64_t n = receive("anna", subpoena(reference, more)).value();
    HF_CHECK(check("anna", n, bob()).ok() && approve("ben", n).ok() && approve("carl", n).ok());
    return n;
  }
  State state(std::uint64_t n) const { return trail->matter(n).value().state; }

  Law law = whole_law();
  Roster roster;
  std::map<std::string, crypto::SigningKey> keys;
  std::optional<Trail> trail;
  std::vector<SignedStep> steps;
  TimeMs now = kToday;
};

}  // namespace holdfast::lawful::testkit
