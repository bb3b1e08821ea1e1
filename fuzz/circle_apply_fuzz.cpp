// Sequences of statements. An even first byte: the rest is statements as they stand, each after two
// bytes of length, beginning with a genesis. An odd one: the rest is a program that makes signed
// statements with fixed keys, some with a changed body, so that the rules behind the signature are
// reached (3 more than a multiple of 4: from the standard level on, where a log proves ages). After
// each statement that is accepted the circle's invariants are checked.
#include <set>

#include "../tests/support/circle_maker.h"

using namespace holdfast;
using circle::BlobKind;
using circle::BlobSlot;
using circle::Circle;

namespace {

void check(const Circle& before, const Circle& after) {
  HF_CHECK(after.seq() == before.seq() + 1 && after.id() == before.id());
  HF_CHECK(after.head_at(before.seq()) == before.head() && after.head() != before.head());
  HF_CHECK(after.epoch() == before.epoch() || after.epoch() == before.epoch() + 1);
  HF_CHECK(after.level() == before.level() || after.epoch() == before.epoch() + 1);
  HF_CHECK(after.lookup() == before.lookup() && after.has_log() == before.has_log());
  HF_CHECK((after.level() == circle::Level::kStandard) == (after.custodian() != nullptr));
  HF_CHECK(after.trust_roots() == before.trust_roots());

  std::set<ReaderId> readers;
  for (const circle::Device* d : after.members()) readers.insert(d->id);
  HF_CHECK(!readers.empty() && readers.size() <= circle::kMaxDevices);
  if (after.recovery()) readers.insert(after.recovery()->id);
  HF_CHECK(after.readers() == std::vector<ReaderId>(readers.begin(), readers.end()));

  std::set<BlobSlot> slots;
  for (const ReaderId& id : readers) slots.insert({BlobKind::kRoot, id, {}});
  if (after.epoch() > 1) slots.insert({BlobKind::kBacklink, {}, {}});
  for (const circle::Vault& vault : after.vaults()) {
    for (const BlobKind kind : {BlobKind::kVaultKey, BlobKind::kNaming, BlobKind::kCutting})
      slots.insert({kind, {}, vault.id});
    if (vault.first_epoch < after.epoch()) slots.insert({BlobKind::kVaultLink, {}, vault.id});
    if (vault.always_e2e) continue;
    for (const ReaderId& id : after.vault_readers())
      slots.insert({BlobKind::kVaultReader, id, vault.id});
    for (const circle::Helped& one : after.helped())
      if (one.since_seq > after.epochs().back().start_seq && one.since_seq > vault.since_seq)
        slots.insert({BlobKind::kVaultReader, one.id, vault.id});
  }
  for (const circle::Helped& one : after.helped()) {
    HF_CHECK(after.device(one.id) == nullptr);  // never a member
    HF_CHECK(one.left_seq || one.since_seq > after.epochs().back().start_seq);
  }
  std::set<BlobSlot> given;
  for (const auto& [slot, blob] : after.epochs().back().blobs) given.insert(slot);
  HF_CHECK(given == slots);

  // No key is ever used twice, nobody returns, and nothing that was given is taken away unasked.
  std::set<Bytes> verify_keys, wrap_keys;
  for (const circle::Device& d : after.devices()) {
    HF_CHECK(verify_keys.insert(to_bytes(d.info.verify_key)).second);
    HF_CHECK(wrap_keys.insert(to_bytes(d.info.wrap_key)).second);
  }
  for (const circle::Custodian& one : after.custodians())
    HF_CHECK(wrap_keys.insert(to_bytes(one.info.wrap_key)).second);
  for (const circle::Helped& one : after.helped())
    HF_CHECK(wrap_keys.insert(to_bytes(one.info.wrap_key)).second);
  for (const circle::Device& d : before.devices()) {
    const circle::Device* const now = after.device(d.id);
    HF_CHECK(now != nullptr && (!d.removed_seq || now->removed_seq == d.removed_seq));
    if (!d.removed_seq && now->removed_seq) HF_CHECK(after.epoch() == before.epoch() + 1);
  }
  if (before.recovery()) HF_CHECK(after.recovery().has_value());
  for (const circle::Vault& v : before.vaults()) {
    const circle::Vault* const now = after.vault(v.id);
    HF_CHECK(now != nullptr && now->name == v.name && (!v.always_e2e || now->always_e2e));
  }
}

void replay(BytesView in) {
  std::optional<Circle> at;
  while (in.size() >= 2) {
    const std::size_t size = std::min(std::size_t{in[0]} << 8 | in[1], in.size() - 2);
    const BytesView statement = in.subspan(2, size);
    in = in.subspan(2 + size);
    auto next = at ? at->apply(statement) : Circle::start(statement);
    if (next.ok() && at) check(*at, *next);
    if (next.ok()) at = std::move(next).value();
  }
}

// Bytes of the program; zero when it has ended.
struct Program {
  BytesView in;
  std::uint8_t next() {
    if (in.empty()) return 0;
    const std::uint8_t out = in[0];
    in = in.subspan(1);
    return out;
  }
  std::size_t next_place() {
    const std::size_t high = next();
    return high << 8 | next();
  }
};

// Fixed people, some of them with a key of another.
struct Cast {
  std::vector<testkit::TestDevice> devices;
  std::vector<testkit::TestRecovery> recoveries;

  Cast() {
    for (const char* name : {"laptop", "a", "b", "c", "d"})
      devices.push_back(testkit::make_device(name));
    for (const char* name : {"p", "q", "r"}) recoveries.push_back(testkit::make_recovery(name));
    testkit::TestDevice mixed = devices[1];
    mixed.info.name = "mixed";
    mixed.info.wrap_key = devices[2].info.wrap_key;
    mixed.id = circle::reader_id(mixed.info);
    devices.push_back(mixed);
    mixed.info.wrap_key = recoveries[0].info.wrap_key;
    mixed.info.verify_key = recoveries[1].info.verify_key;
    mixed.key = recoveries[1].key;
    mixed.id = circle::reader_id(mixed.info);
    devices.push_back(mixed);
    testkit::TestRecovery reused = recoveries[2];
    reused.info.verify_key = devices[3].info.verify_key;
    reused.key = devices[3].key;
    reused.id = circle::reader_id(reused.info);
    recoveries.push_back(reused);
  }
  const testkit::TestDevice& device(std::uint8_t n) const { return devices[n % devices.size()]; }
  const testkit::TestRecovery& recovery(std::uint8_t n) const {
    return recoveries[n % recoveries.size()];
  }
  const testkit::Signer& signer(std::uint8_t n) const {
    const std::size_t at = n % (devices.size() + recoveries.size());
    if (at < devices.size()) return devices[at];
    return recoveries[at - devices.size()];
  }
  std::vector<ReaderId> some(std::uint8_t mask) const {
    std::vector<ReaderId> out;
    for (std::size_t i = 0; i < devices.size(); ++i)
      if (mask >> i & 1) out.push_back(devices[i].id);
    return out;
  }
};

// Stands for a log that proves whatever it is given a byte for.
class LenientAges final : public circle::Ages {
  Result<void> check(BytesView evidence, std::uint64_t, const Digest&,
                     std::int64_t) const override {
    if (evidence.size() == 1) return Ok{};
    return Error{Code::kUnsafe, "it is not old enough"};
  }
};

class Runner {
 public:
  explicit Runner(BytesView in) : program_{in}, maker_(cast().devices[0]) {}
  Runner(BytesView in, circle::Level level)
      : program_{in}, maker_(std::make_shared<LenientAges>(), level) {}

  void run() {
    for (int steps = 0; steps < 24 && !program_.in.empty(); ++steps) step();
  }

 private:
  static const Cast& cast() {
    static const Cast people;
    return people;
  }

  void step() {
    const std::uint8_t what = program_.next();
    const testkit::Signer& by = cast().signer(program_.next());
    const std::uint8_t which = program_.next();
    if (what & 128) return step_level(what, by, which);
    switch (what % 8) {
      case 0: say(maker_.admit(cast().device(which)), by, what); break;
      case 1: say(maker_.remove(cast().some(which)), by, what); break;
      case 2: say(maker_.rotate(), by, what); break;
      case 3: say(set_vault(which), by, what); break;
      case 4: say(circle::SetRegion{which & 1 ? "DE" : "d"}, by, what); break;
      case 5: say(maker_.set_recovery(cast().recovery(which)), by, what); break;
      case 6:
        say(maker_.recover(cast().device(which), cast().some(program_.next())), by, what);
        break;
      default: record(by, which); break;
    }
  }
  void step_level(std::uint8_t what, const testkit::Signer& by, std::uint8_t which) {
    const auto custodian =
        testkit::make_custodian(maker_.circle().id(), "c" + std::to_string(which % 4));
    switch (what % 8) {
      case 0: say(maker_.raise(), by, what); break;
      case 1: {
        circle::SetLevel body = maker_.lower(custodian);
        for (int i = which >> 4 & 3; i > 0; --i) body.evidence.push_back(Bytes(1));
        say(body, by, what);
        break;
      }
      case 2: say(circle::Propose{{}, custodian}, by, what); break;
      case 3: say(circle::Propose{cast().recovery(which).info, {}}, by, what); break;
      case 4: say(circle::Cancel{which}, by, what); break;
      case 5: complete(by, what, which); break;
      case 6: say(circle::PolicyAck{which, {}}, by, what); break;
      default: by_fleet(circle::Assist{cast().device(which).info}); break;
    }
  }
  void complete(const testkit::Signer& by, std::uint8_t how, std::uint8_t which) {
    const auto& all = maker_.circle().proposals();
    if (all.empty()) return;
    const circle::Proposal& one = all[which % all.size()];
    circle::Complete body{one.seq, Bytes(1), {}};
    if (const auto* const helped = one.helped()) {
      body.epoch =
          maker_.same_epoch(circle::assist_slots(maker_.circle(), circle::reader_id(*helped)));
      return by_fleet(body);
    }
    if (const auto* const custodian = one.custodian()) {
      body.epoch = maker_.lowered(*custodian);
    } else {
      std::vector<ReaderId> readers = {circle::reader_id(*one.recovery())};
      for (const circle::Device* d : maker_.circle().members()) readers.push_back(d->id);
      body.epoch = maker_.next_epoch(readers);
    }
    say(body, by, how);
  }
  template <class Body>
  void by_fleet(const Body& body) {
    static const crypto::Ed25519Key fleet = testkit::make_fleet();
    take(maker_.sign_by_fleet(body, fleet));
  }
  void take(const Bytes& bytes) {
    const auto next = maker_.circle().apply(bytes);
    if (!next.ok()) return;
    check(maker_.circle(), *next);
    maker_.append(bytes);
  }
  circle::SetVault set_vault(std::uint8_t which) const {
    return maker_.set_vault("v" + std::to_string(which % 4), which & 16);
  }
  void record(const testkit::Signer& by, std::uint8_t which) {
    const auto& vaults = maker_.circle().vaults();
    if (vaults.empty() || maker_.circle().member(by.id) == nullptr) return;
    const VaultId vault = vaults[which % vaults.size()].id;
    // A statement with changed vault heads may have closed the chain for good.
    const Bytes bytes = circle::sign_record(maker_.record(vault, by), *by.key);
    if (maker_.extend(vault, bytes).ok()) maker_.append_record(vault, by);
  }

  // Signs, perhaps with a changed body and cosigned, and applies.
  template <class Body>
  void say(const Body& body, const testkit::Signer& by, std::uint8_t how) {
    circle::SignedStatement parts = maker_.sign_parts(body, by);
    if (how & 8) {
      auto statement = *wire::decode<circle::Statement>(parts.statement);
      const std::size_t at = program_.next_place() % statement.body.size();
      statement.body[at] = program_.next();
      if (how & 64) statement.type = static_cast<circle::StatementType>(program_.next());
      parts = circle::sign_statement(
          {statement.circle, statement.seq, statement.prev, statement.time_ms, statement.type,
           statement.signer, statement.body},
          *by.key);
    }
    for (int cosigned = how >> 4 & 3; cosigned > 0; --cosigned) {
      const testkit::Signer& second = cast().signer(program_.next());
      circle::cosign(parts, second.id, *second.key);
    }
    take(wire::encode(parts));
  }

  Program program_;
  testkit::CircleMaker maker_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const BytesView rest(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    replay(rest);
  } else if (data[0] % 4 == 3) {
    Runner(rest, circle::Level::kStandard).run();
  } else {
    Runner(rest).run();
  }
  return 0;
}
