// Lies about the level: who holds the provider's keys, and whether the person let them in.
#include <mutex>

#include "circle/custody.h"
#include "crypto/hash.h"
#include "crypto/key_file.h"
#include "hostile/attack_parts.h"
#include "hostile/log_attacks.h"
#include "tlog/batch.h"

namespace holdfast::hostile {
namespace {

// ---- whose key it is ----

Lies custodian_of_its_own() {
  Lies lies;
  lies.custodian = [](const CircleId& circle, Result<Bytes>& key) {
    key = wire::encode(testkit::make_custodian(circle, "the provider's own"));
  };
  return lies;
}

// Whoever asks is given the key that was made for the first who did.
Lies custodian_of_another() {
  struct First {
    std::mutex mutex;
    std::optional<Bytes> key;
  };
  Lies lies;
  lies.custodian = [first = std::make_shared<First>()](const CircleId&, Result<Bytes>& key) {
    const std::lock_guard lock(first->mutex);
    if (key.ok() && !first->key) first->key = *key;
    if (first->key) key = Bytes(*first->key);
  };
  return lies;
}

// ---- statements ----

Bytes newest_lowering(Honest& honest) {
  const Page all = statements_of(honest);
  for (auto at = all.rbegin(); at != all.rend(); ++at) {
    const auto outer = sure(wire::decode<circle::SignedStatement>(*at));
    const auto statement = sure(wire::decode<circle::Statement>(outer.statement));
    if (statement.type != StatementType::kSetLevel) continue;
    const auto body = sure(wire::decode<circle::SetLevel>(statement.body));
    if (body.level == circle::Level::kStandard) return *at;
  }
  return all.front();  // it began at that level
}

// The person's own, once more.
Lies replayed_level() {
  return add_statement([](Honest& honest, const Circle&) { return newest_lowering(honest); });
}

// Whoever comes anew is told that raising was lowering.
Lies altered_level() {
  Lies lies;
  lies.circle = [](Honest&, std::uint64_t, Page& page) {
    for (Bytes& item : page)
      item = altered(item, [](circle::Statement& statement) {
        if (statement.type != StatementType::kSetLevel) return;
        auto body = sure(wire::decode<circle::SetLevel>(statement.body));
        body.level = circle::Level::kStandard;
        statement.body = wire::encode(body);
      });
  };
  return lies;
}

// ---- what stands in the log ----

// The policy is another one in what this person is shown of the log.
void swap_policy(api::LogView& view) {
  for (Bytes& leaf : view.leaves) {
    auto policy = wire::decode<tlog::PolicyLeaf>(leaf);
    if (!policy.ok()) continue;
    policy->policy = crypto::sha256(as_bytes("for this person alone"));
    leaf = wire::encode(*policy);
  }
}

Lies policy_for_one() {
  Lies lies;
  lies.log = [](Honest&, std::uint64_t, Result<api::LogView>& view) {
    if (view.ok()) swap_policy(*view);
  };
  return lies;
}

// "Nothing of yours is in that batch."
Lies batch_denied() {
  Lies lies;
  lies.batches = [](std::vector<api::BatchView>& page) {
    for (api::BatchView& one : page) {
      auto proof = sure(wire::decode<tlog::PositionProof>(one.position));
      proof.value.reset();
      one.position = wire::encode(proof);
      one.opening.reset();
    }
  };
  return lies;
}

}  // namespace

Bytes lowering_statement(Honest& honest, const Circle& circle, const crypto::Ed25519Key& fleet,
                         LoweredBy by) {
  circle::SetLevel body;
  body.level = circle::Level::kStandard;
  body.custodian =
      circle::sign_custodian(fleet, circle.id(), crypto::wrap_public_key(*ghost().wrap));
  const std::size_t blobs =
      circle::epoch_slots(circle.vaults(), circle.readers(), {circle::reader_id(*body.custodian)})
          .size();
  body.epoch = standing_epoch(honest, circle, blobs);
  ++body.epoch.epoch;
  circle::Draft draft = next_draft(circle, StatementType::kSetLevel, wire::encode(body));
  if (by == LoweredBy::kGhost) return wire::encode(circle::sign_statement(draft, *ghost().key));
  if (by == LoweredBy::kFleet) draft.signer = circle::reader_id(*body.custodian);
  return wire::encode(circle::sign_statement(draft, fleet));
}

Lies level_by_fleet(const std::string& key_file) {
  const auto seed = std::make_shared<const crypto::Key<crypto::Ed25519Purpose>>(
      sure(crypto::load_or_make_key(key_file)));
  return add_statement([seed](Honest& honest, const Circle& circle) {
    return lowering_statement(honest, circle, crypto::Ed25519Key(*seed), LoweredBy::kFleet);
  });
}

const AttackTable& level_attacks() {
  static const AttackTable all = {
      {"custodian-of-its-own", custodian_of_its_own},
      {"custodian-of-another", custodian_of_another},
      {"level-forged",
       [] {
         return add_statement([](Honest& honest, const Circle& circle) {
           return lowering_statement(honest, circle, testkit::make_fleet(), LoweredBy::kGhost);
         });
       }},
      {"level-replayed", replayed_level},
      {"level-altered", altered_level},
      {"policy-for-one", policy_for_one},
      {"batch-denied", batch_denied},
  };
  return all;
}

}  // namespace holdfast::hostile
