// One statement on its way into a circle: the rules of Circle::apply. For this module's own files.
#pragma once

#include "circle/circle.h"

namespace holdfast::circle {

inline constexpr std::string_view kSignLabel = "holdfast/v1/statement/sig";
inline constexpr std::string_view kFleetLabel = "holdfast/v1/statement/fleet-sig";
inline constexpr std::string_view kCosignLabel = "holdfast/v1/statement/cosig";

Error broken(const std::string& what);
ReaderId id_of_keys(BytesView verify_key, BytesView wrap_key);

// `next_` becomes the result.
class Applier {
 public:
  static Result<Circle> start(BytesView signed_genesis, std::shared_ptr<const Ages> ages);
  Applier(const Circle& before, const Statement& statement, const SignedStatement& outer)
      : next_(before), statement_(statement), outer_(outer) {}

  Result<Circle> run(BytesView signed_statement);

 private:
  Result<void> dispatch();
  // applier.cpp: who belongs, and vaults
  Result<void> genesis();
  Result<void> admit();
  Result<void> remove();
  Result<void> rotate();
  Result<void> set_vault();
  Result<void> new_vault(const SetVault& body);
  Result<void> set_region();
  Result<void> recover();
  Result<void> policy_ack();
  // applier_delayed.cpp: what takes a second voice, or time
  Result<void> set_recovery();
  Result<void> propose();
  Result<void> complete();
  Result<void> cancel();
  // applier_levels.cpp: the custodian
  Result<void> set_level();
  Result<void> raise(const SetLevel& body);
  Result<void> lower(const SetLevel& body);
  Result<void> assist();

  Result<void> require_member_signature();
  Result<void> require_fleet_signature() const;
  Result<void> require_no_cosignature() const;
  Result<void> require_replacement_cosignature(const SetRecovery& body) const;
  Result<void> require_lowering_cosignature(const SetLevel& body) const;
  Result<const Device*> cosigner() const;
  std::vector<std::uint64_t> ages_of(const Device* second) const;
  Result<void> require_ages(const std::vector<std::uint64_t>& since,
                            const std::vector<Bytes>& evidence) const;
  Result<void> check_age(BytesView evidence, std::uint64_t seq, std::int64_t age_ms) const;
  Result<void> check_recovery(const RecoveryInfo& info) const;
  Result<void> check_custodian(const CustodianInfo& info) const;
  Result<void> check_helped(const DeviceInfo& info) const;
  Result<void> stand(const RecoveryInfo& info, const EpochInfo& epoch);
  Result<void> enter_custodian(const CustodianInfo& info, const EpochInfo& epoch);
  Result<void> help(const DeviceInfo& info, const EpochInfo& epoch);
  Result<void> add_proposal(Proposal::What what);
  template <class What>
  void void_proposals() {
    std::erase_if(next_.proposals_,
                  [](const Proposal& p) { return std::holds_alternative<What>(p.what); });
  }
  Result<void> require_new_wrap_key(BytesView wrap_key) const;
  Result<void> require_new_keys(BytesView verify_key, BytesView wrap_key) const;
  Result<void> add_device(const DeviceInfo& info);
  void remove_device(const ReaderId& id);
  Result<void> same_epoch(const EpochInfo& info, const std::vector<BlobSlot>& slots);
  Result<void> next_epoch(const EpochInfo& info);
  Result<void> fill(Epoch& epoch, const EpochInfo& info, const std::vector<BlobSlot>& slots,
                    bool fresh);
  Result<void> check_heads(const EpochInfo& info) const;

  Circle next_;
  const Statement& statement_;
  const SignedStatement& outer_;
};

// No control characters: not the ASCII ones, nor U+0080 to U+009F (in UTF-8 c2 and that byte),
// which a terminal may obey as well.
bool printable(std::string_view text);
// Whether an envelope can be made for a key. An epoch has one for every reader: a key that takes
// none would let whoever brought it in stop every later one, its own removal too.
bool takes_envelopes(const std::array<std::uint8_t, crypto::WrapPublicKey::kSize>& wrap_key);

template <class Body>
Result<Body> decode_body(const Statement& statement) {
  auto body = wire::decode<Body>(statement.body);
  if (!body.ok()) return std::move(body).error().in("the body of a statement");
  return body;
}

}  // namespace holdfast::circle
