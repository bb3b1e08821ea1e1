// Circles for tests: valid statements and records with real keys, made from names, so that a test
// changes one thing and sees it refused. Blobs are stand-ins with the right hashes, no envelopes.
#pragma once

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "circle/circle.h"
#include "circle/custody.h"
#include "circle/vault_chain.h"
#include "crypto/hash.h"

namespace holdfast::testkit {

namespace cc = holdfast::circle;

// Whoever signs: a device or a recovery key. The same name gives the same keys.
struct Signer {
  ReaderId id;
  std::shared_ptr<const crypto::SigningKey> key;
  std::shared_ptr<const crypto::Key<crypto::WrapPurpose>> wrap;
};
struct TestDevice : Signer {
  cc::DeviceInfo info;
};
struct TestRecovery : Signer {
  cc::RecoveryInfo info;
};

inline Signer make_signer(std::string_view name) {
  Signer out;
  const Digest sign = crypto::sha256("test/sign/", as_bytes(name));
  const Digest wrap = crypto::sha256("test/wrap/", as_bytes(name));
  using SigningSeed = crypto::Key<crypto::SigningPurpose>;
  using WrapSeed = crypto::Key<crypto::WrapPurpose>;
  out.key = std::make_shared<crypto::SigningKey>(SigningSeed::from_bytes(sign.view()));
  out.wrap = std::make_shared<WrapSeed>(WrapSeed::from_bytes(wrap.view()));
  return out;
}

inline TestDevice make_device(std::string name) {
  TestDevice out{make_signer(name), {}};
  out.info.name = std::move(name);
  out.info.verify_key = out.key->verify_key().bytes;
  out.info.wrap_key = crypto::wrap_public_key(*out.wrap).bytes;
  out.id = cc::reader_id(out.info);
  return out;
}

inline TestRecovery make_recovery(std::string_view name) {
  TestRecovery out{make_signer(name), {}};
  out.info.verify_key = out.key->verify_key().bytes;
  out.info.wrap_key = crypto::wrap_public_key(*out.wrap).bytes;
  out.info.locate = LocateId(crypto::sha256("test/locate/", as_bytes(name)).bytes);
  out.info.capsule = to_bytes(crypto::sha256("test/capsule/", as_bytes(name)).view());
  out.id = cc::reader_id(out.info);
  return out;
}

// The provider's fleet key, and a custodian that it issued: the same name gives the same keys.
inline crypto::Ed25519Key make_fleet(std::string_view name = "fleet") {
  using Seed = crypto::Key<crypto::Ed25519Purpose>;
  return crypto::Ed25519Key(Seed::from_bytes(crypto::sha256("test/fleet/", as_bytes(name)).view()));
}
inline cc::CustodianInfo make_custodian(const CircleId& circle, std::string_view name) {
  return cc::sign_custodian(make_fleet(), circle, crypto::wrap_public_key(*make_signer(name).wrap));
}

inline VaultId vault_id(std::string_view name) {
  const Digest hash = crypto::sha256("test/vault/", as_bytes(name));
  return *VaultId::from(hash.view().first(VaultId::kSize));
}

// What stands for the blob of a slot in the tests.
inline Bytes blob_bytes(std::uint32_t epoch, const cc::BlobSlot& slot) {
  return wire::encode_array("test/blob", epoch, static_cast<std::uint32_t>(slot.kind), slot.reader,
                            slot.vault);
}
inline BlobId blob_id(std::uint32_t epoch, const cc::BlobSlot& slot) {
  return BlobId(crypto::sha256(blob_bytes(epoch, slot)).bytes);
}
inline Digest check_of(std::uint32_t epoch) {
  return crypto::sha256("test/check/", wire::encode_array(epoch));
}

inline cc::Genesis genesis_body(const TestDevice& first) {
  cc::Genesis body;
  body.device = first.info;
  body.nonce = crypto::sha256("test/nonce/", as_bytes(first.info.name)).bytes;
  body.region = "CH";
  body.level = cc::Level::kAdvanced;
  body.trust_roots = crypto::sha256(wire::encode(cc::TrustRoots{}));
  body.lookup = crypto::sha256(as_bytes("test/lookup"));
  body.epoch.epoch = 1;
  body.epoch.check = check_of(1);
  for (const cc::BlobSlot& slot : cc::reader_slots(first.id))
    body.epoch.blobs.push_back(blob_id(1, slot));
  return body;
}

constexpr std::int64_t kTestTime = 1'700'000'000'000;

inline Bytes sign_genesis(const cc::Genesis& body, const Signer& by) {
  cc::Draft draft;
  draft.circle = cc::circle_id(body.device, body.nonce);
  draft.time_ms = kTestTime;
  draft.type = cc::StatementType::kGenesis;
  draft.signer = by.id;
  draft.body = wire::encode(body);
  return wire::encode(cc::sign_statement(draft, *by.key));
}

// A circle and the heads of its vaults. The functions named after statements make a body that is
// valid now; sign() makes it a statement; append() applies it, and must succeed.
class CircleMaker {
 public:
  explicit CircleMaker(const TestDevice& device = make_device("laptop"))
      : first(device), circle_(start(sign_genesis(genesis_body(device), device), nullptr)) {}
  // With a log, whose ages are judged by this.
  explicit CircleMaker(std::shared_ptr<const cc::Ages> ages, cc::Level level = cc::Level::kAdvanced)
      : first(make_device("laptop")), circle_(start(log_genesis(first, level), std::move(ages))) {}
  CircleMaker(const TestDevice& device, const cc::Genesis& body)
      : first(device), circle_(start(sign_genesis(body, device), nullptr)) {}

  // From another genesis that the laptop signed.
  CircleMaker(Bytes genesis, std::shared_ptr<const cc::Ages> ages)
      : first(make_device("laptop")), circle_(start(std::move(genesis), std::move(ages))) {}

  TestDevice first;

  const cc::Circle& circle() const { return circle_; }
  const std::vector<Bytes>& statements() const { return statements_; }
  const std::map<VaultId, cc::ChainTip>& tips() const { return tips_; }
  const std::vector<Bytes>& records(const VaultId& vault) { return records_[vault]; }

  // ---- bodies ----

  cc::EpochInfo same_epoch(const std::vector<cc::BlobSlot>& slots) const {
    return info(circle_.epoch(), circle_.epochs().back().check, slots);
  }
  cc::EpochInfo next_epoch(std::vector<ReaderId> readers) const {
    return next_epoch(circle_.vaults(), std::move(readers), circle_.vault_readers());
  }
  // Where a statement changes more than who is a full reader.
  cc::EpochInfo next_epoch(const std::vector<cc::Vault>& vaults, std::vector<ReaderId> readers,
                           const std::vector<ReaderId>& vault_readers) const {
    std::sort(readers.begin(), readers.end());
    const std::uint32_t epoch = circle_.epoch() + 1;
    return info(epoch, check_of(epoch), cc::epoch_slots(vaults, readers, vault_readers));
  }
  cc::Admit admit(const TestDevice& device) const {
    cc::Admit body;
    body.device = device.info;
    body.request = crypto::sha256("test/request/", as_bytes(device.info.name));
    body.countersignature = device.key->sign(
        cc::kAdmissionLabel, cc::admission_bytes(circle_.id(), body.request, device.id));
    body.epoch = same_epoch(cc::reader_slots(device.id));
    return body;
  }
  cc::Remove remove(std::vector<ReaderId> devices) const {
    std::sort(devices.begin(), devices.end());
    std::vector<ReaderId> stay;
    for (const ReaderId& id : circle_.readers())
      if (!std::binary_search(devices.begin(), devices.end(), id)) stay.push_back(id);
    return {devices, next_epoch(stay)};
  }
  cc::Rotate rotate() const { return {next_epoch(circle_.readers())}; }
  cc::SetVault set_vault(const std::string& name, bool always_e2e = false) const {
    const VaultId id = vault_id(name);
    if (circle_.vault(id) == nullptr) {
      const cc::Vault vault{id, name, always_e2e, 0, 0};
      return {id, name, always_e2e, same_epoch(cc::vault_slots(vault, circle_.vault_readers()))};
    }
    std::vector<cc::Vault> vaults = circle_.vaults();
    for (cc::Vault& vault : vaults)
      if (vault.id == id) vault.always_e2e = always_e2e;
    return {id, name, always_e2e, next_epoch(vaults, circle_.readers(), circle_.vault_readers())};
  }
  cc::SetLevel raise() const {
    cc::SetLevel body;
    body.level = cc::Level::kAdvanced;
    body.epoch = next_epoch(circle_.vaults(), circle_.readers(), {});
    return body;
  }
  cc::SetLevel lower(const cc::CustodianInfo& custodian) const {
    cc::SetLevel body;
    body.level = cc::Level::kStandard;
    body.custodian = custodian;
    body.epoch = lowered(custodian);
    return body;
  }
  cc::EpochInfo lowered(const cc::CustodianInfo& custodian) const {
    return next_epoch(circle_.vaults(), circle_.readers(), {cc::reader_id(custodian)});
  }
  cc::SetRecovery set_recovery(const TestRecovery& recovery) const {
    if (!circle_.recovery()) return {recovery.info, {}, same_epoch(cc::reader_slots(recovery.id))};
    std::vector<ReaderId> readers = {recovery.id};
    for (const cc::Device* d : circle_.members()) readers.push_back(d->id);
    return {recovery.info, {}, next_epoch(readers)};
  }
  cc::Complete complete(std::uint64_t proposal, const TestRecovery& recovery,
                        Bytes evidence) const {
    return {proposal, std::move(evidence), set_recovery(recovery).epoch};
  }
  cc::Recover recover(const TestDevice& device, std::vector<ReaderId> kept = {}) const {
    std::sort(kept.begin(), kept.end());
    cc::Recover body;
    body.device = device.info;
    body.countersignature = device.key->sign(
        cc::kRecoveryLabel, cc::recovery_bytes(circle_.id(), circle_.head(), device.id));
    body.kept = kept;
    std::vector<ReaderId> readers = kept;
    readers.push_back(device.id);
    if (circle_.recovery()) readers.push_back(circle_.recovery()->id);
    body.epoch = next_epoch(readers);
    return body;
  }

  // ---- statements ----

  cc::Draft draft(cc::StatementType type, Bytes body, const ReaderId& signer) const {
    const std::uint64_t seq = circle_.seq() + 1;
    const std::int64_t time = kTestTime + static_cast<std::int64_t>(seq) * 60'000;
    return {circle_.id(), seq, circle_.head(), time, type, signer, std::move(body)};
  }
  template <class Body>
  cc::SignedStatement sign_parts(const Body& body, const Signer& by) const {
    return cc::sign_statement(draft(type_of(body), wire::encode(body), by.id), *by.key);
  }
  template <class Body>
  Bytes sign(const Body& body, const Signer& by) const {
    return wire::encode(sign_parts(body, by));
  }
  template <class Body>
  Bytes sign_cosigned(const Body& body, const Signer& by, const Signer& second) const {
    cc::SignedStatement parts = sign_parts(body, by);
    cc::cosign(parts, second.id, *second.key);
    return wire::encode(parts);
  }

  // Signed by the account's custodian.
  template <class Body>
  Bytes sign_by_fleet(const Body& body, const crypto::Ed25519Key& fleet) const {
    const ReaderId by = circle_.custodian() != nullptr ? circle_.custodian()->id : ReaderId{};
    return wire::encode(cc::sign_statement(draft(type_of(body), wire::encode(body), by), fleet));
  }

  void append(Bytes statement) {
    auto after = circle_.apply(statement);
    if (!after.ok()) std::fprintf(stderr, "%s\n", after.error().message.c_str());
    HF_CHECK(after.ok());
    circle_ = std::move(after).value();
    statements_.push_back(std::move(statement));
    for (const cc::Vault& vault : circle_.vaults()) tips_.try_emplace(vault.id);
  }
  template <class Body>
  void append(const Body& body, const Signer& by) {
    append(sign(body, by));
  }
  TestDevice admit_new(const std::string& name) {
    TestDevice device = make_device(name);
    append(admit(device), first);
    return device;
  }
  VaultId add_vault(const std::string& name) {
    append(set_vault(name), first);
    return vault_id(name);
  }
  TestRecovery enroll(std::string_view name) {
    TestRecovery recovery = make_recovery(name);
    append(set_recovery(recovery), first);
    return recovery;
  }

  // ---- records ----

  cc::Record record(const VaultId& vault, const Signer& by) const {
    const cc::ChainTip& tip = tips_.at(vault);
    cc::Record out;
    out.circle = circle_.id();
    out.vault = vault;
    out.n = tip.n + 1;
    out.prev = tip.head;
    out.circle_seq = circle_.seq();
    out.circle_head = circle_.head();
    out.epoch = circle_.epoch();
    out.time_ms = kTestTime + static_cast<std::int64_t>(circle_.seq()) * 60'000 + 1;
    out.kind = cc::RecordKind::kSnapshot;
    out.signer = by.id;
    out.snapshot = PackId(crypto::sha256("test/snapshot/", wire::encode_array(out.n)).bytes);
    out.key_segments.push_back(
        {PackId(crypto::sha256("test/keys/", wire::encode_array(out.n)).bytes), out.epoch});
    out.index_segments.push_back(
        PackId(crypto::sha256("test/index/", wire::encode_array(out.n)).bytes));
    return out;
  }
  cc::Record prune(const VaultId& vault, const Signer& by, std::vector<PackId> packs) const {
    cc::Record out = record(vault, by);
    out.kind = cc::RecordKind::kPrune;
    out.snapshot.reset();
    std::sort(packs.begin(), packs.end());
    out.dropped = std::move(packs);
    return out;
  }
  cc::Record undo(const VaultId& vault, const Signer& by, std::vector<PackId> packs) const {
    cc::Record out = prune(vault, by, std::move(packs));
    out.kind = cc::RecordKind::kUndo;
    std::swap(out.kept, out.dropped);
    return out;
  }
  Result<cc::LinkedRecord> extend(const VaultId& vault, BytesView signed_record) const {
    return cc::extend(circle_, vault, tips_.at(vault), signed_record);
  }
  void append_record(const VaultId& vault, const Signer& by) {
    append_record(vault, record(vault, by), by);
  }
  void append_record(const VaultId& vault, const cc::Record& record, const Signer& by) {
    Bytes bytes = cc::sign_record(record, *by.key);
    const auto linked = extend(vault, bytes);
    HF_CHECK(linked.ok());
    tips_[vault] = linked->tip;
    records_[vault].push_back(std::move(bytes));
  }

 private:
  static cc::StatementType type_of(const cc::Admit&) { return cc::StatementType::kAdmit; }
  static cc::StatementType type_of(const cc::Remove&) { return cc::StatementType::kRemove; }
  static cc::StatementType type_of(const cc::Rotate&) { return cc::StatementType::kRotate; }
  static cc::StatementType type_of(const cc::SetVault&) { return cc::StatementType::kSetVault; }
  static cc::StatementType type_of(const cc::SetRegion&) { return cc::StatementType::kSetRegion; }
  static cc::StatementType type_of(const cc::SetRecovery&) {
    return cc::StatementType::kSetRecovery;
  }
  static cc::StatementType type_of(const cc::Recover&) { return cc::StatementType::kRecover; }
  static cc::StatementType type_of(const cc::SetLevel&) { return cc::StatementType::kSetLevel; }
  static cc::StatementType type_of(const cc::Assist&) { return cc::StatementType::kAssist; }
  static cc::StatementType type_of(const cc::PolicyAck&) { return cc::StatementType::kPolicyAck; }
  static cc::StatementType type_of(const cc::Propose&) { return cc::StatementType::kPropose; }
  static cc::StatementType type_of(const cc::Complete&) { return cc::StatementType::kComplete; }
  static cc::StatementType type_of(const cc::Cancel&) { return cc::StatementType::kCancel; }

  static Bytes log_genesis(const TestDevice& device, cc::Level level) {
    cc::Genesis body = genesis_body(device);
    body.has_log = true;
    body.level = level;
    if (level == cc::Level::kStandard)
      body.custodian = make_custodian(cc::circle_id(body.device, body.nonce), "custodian");
    return sign_genesis(body, device);
  }

  cc::Circle start(Bytes genesis, std::shared_ptr<const cc::Ages> ages) {
    auto circle = cc::Circle::start(genesis, std::move(ages));
    HF_CHECK(circle.ok());
    statements_.push_back(std::move(genesis));
    return std::move(circle).value();
  }

  cc::EpochInfo info(std::uint32_t epoch, const Digest& check,
                     const std::vector<cc::BlobSlot>& slots) const {
    cc::EpochInfo out;
    out.epoch = epoch;
    out.check = check;
    for (const cc::BlobSlot& slot : slots) out.blobs.push_back(blob_id(epoch, slot));
    for (const auto& [vault, tip] : tips_) out.vault_heads.push_back({vault, tip.n, tip.head});
    return out;
  }

  std::vector<Bytes> statements_;
  std::map<VaultId, cc::ChainTip> tips_;
  std::map<VaultId, std::vector<Bytes>> records_;
  cc::Circle circle_;  // after statements_, which start() fills
};

}  // namespace holdfast::testkit
