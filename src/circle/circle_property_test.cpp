// Random valid histories keep the circle's invariants, and nothing but the exact bytes is accepted.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <set>

#include "support/circle_maker.h"

namespace holdfast::circle {
namespace {

using testkit::CircleMaker;
using testkit::make_device;
using testkit::make_recovery;
using testkit::TestDevice;
using testkit::TestRecovery;

// A history driven by numbers: each becomes a statement or record that is valid where it comes.
class History {
 public:
  void step(unsigned choice, unsigned which) {
    switch (choice % 9) {
      case 0: admit(which); break;
      case 1: remove(which); break;
      case 2: maker.append(maker.rotate(), member(which)); break;
      case 3: set_vault(which); break;
      case 4: maker.append(SetRegion{which % 2 == 0 ? "DE" : "FR"}, member(which)); break;
      case 5: set_recovery(which); break;
      case 6: recover(which); break;
      default: record(which); break;
    }
  }

  CircleMaker maker;

 private:
  std::vector<TestDevice> members_ = {maker.first};
  std::optional<TestRecovery> recovery_;
  unsigned made_ = 0;

  std::string fresh_name() { return "made " + std::to_string(++made_); }
  const TestDevice& member(unsigned which) const { return members_[which % members_.size()]; }

  void admit(unsigned which) {
    const TestDevice device = make_device(fresh_name());
    maker.append(maker.admit(device), member(which));
    members_.push_back(device);
  }
  void remove(unsigned which) {
    const TestDevice signer = member(which);
    std::vector<ReaderId> gone;
    for (std::size_t i = 0; i < members_.size(); ++i)
      if (members_[i].id != signer.id && (which >> i & 1) != 0) gone.push_back(members_[i].id);
    if (gone.empty()) return;
    maker.append(maker.remove(gone), signer);
    keep_members();
  }
  void set_vault(unsigned which) {
    if (which % 3 != 0 || maker.circle().vaults().empty()) {
      if (maker.circle().vaults().size() < 8)
        maker.append(maker.set_vault(fresh_name(), which % 2 == 0), member(which));
      return;
    }
    const Vault& vault = maker.circle().vaults()[which % maker.circle().vaults().size()];
    if (!vault.always_e2e) maker.append(maker.set_vault(vault.name, true), member(which));
  }
  void set_recovery(unsigned which) {
    const TestRecovery next = make_recovery(fresh_name());
    const SetRecovery body = maker.set_recovery(next);
    if (!recovery_ || (members_.size() == 1 && which % 2 == 0)) {
      maker.append(body, member(which));
    } else if (members_.size() == 1 || which % 2 == 0) {
      maker.append(maker.sign_cosigned(body, member(which), *recovery_));
    } else {
      maker.append(maker.sign_cosigned(body, member(which), member(which + 1)));
    }
    recovery_ = next;
  }
  void recover(unsigned which) {
    if (!recovery_) return;
    const TestDevice device = make_device(fresh_name());
    std::vector<ReaderId> kept;
    for (std::size_t i = 0; i < members_.size(); ++i)
      if ((which >> i & 1) != 0) kept.push_back(members_[i].id);
    maker.append(maker.recover(device, kept), *recovery_);
    members_.push_back(device);
    keep_members();
  }
  void record(unsigned which) {
    const auto& vaults = maker.circle().vaults();
    if (!vaults.empty()) maker.append_record(vaults[which % vaults.size()].id, member(which));
  }
  void keep_members() {
    std::erase_if(members_,
                  [&](const TestDevice& d) { return maker.circle().member(d.id) == nullptr; });
  }
};

std::vector<std::pair<unsigned, unsigned>> any_steps() {
  return *rc::gen::resize(30, rc::gen::arbitrary<std::vector<std::pair<unsigned, unsigned>>>());
}

void check_invariants(const Circle& circle) {
  std::set<ReaderId> readers;
  for (const Device* d : circle.members()) readers.insert(d->id);
  RC_ASSERT(!readers.empty());
  if (circle.recovery()) readers.insert(circle.recovery()->id);
  RC_ASSERT(circle.readers() == std::vector<ReaderId>(readers.begin(), readers.end()));

  RC_ASSERT(circle.epochs().size() == circle.epoch());
  const Epoch& now = circle.epochs().back();
  std::set<BlobSlot> slots;
  for (const ReaderId& id : readers) slots.insert({BlobKind::kRoot, id, {}});
  if (now.number > 1) slots.insert({BlobKind::kBacklink, {}, {}});
  for (const Vault& vault : circle.vaults()) {
    for (const BlobKind kind : {BlobKind::kVaultKey, BlobKind::kNaming, BlobKind::kCutting})
      slots.insert({kind, {}, vault.id});
    if (vault.first_epoch < now.number) slots.insert({BlobKind::kVaultLink, {}, vault.id});
  }
  std::set<BlobSlot> given;
  for (const auto& [slot, blob] : now.blobs) given.insert(slot);
  RC_ASSERT(given == slots);

  std::set<ReaderId> ever;
  for (const Device& d : circle.devices()) RC_ASSERT(ever.insert(d.id).second);
  RC_ASSERT(circle.head_at(circle.seq()) == circle.head());
  for (std::size_t e = 1; e < circle.epochs().size(); ++e) {
    RC_ASSERT(circle.epochs()[e].number == e + 1);
    RC_ASSERT(circle.epochs()[e - 1].start_seq < circle.epochs()[e].start_seq);
  }
}

// Everything a circle says of itself.
Bytes fingerprint(const Circle& c) {
  Bytes out =
      wire::encode_array(c.id(), c.seq(), c.head(), c.region(), c.trust_roots(), c.lookup());
  for (const Device& d : c.devices())
    append(out, wire::encode_array(d.info, d.id, d.admitted_seq, d.removed_seq.value_or(0),
                                   d.removed_by));
  if (c.recovery()) append(out, wire::encode_array(c.recovery()->info, c.recovery()->set_seq));
  for (const Vault& v : c.vaults())
    append(out, wire::encode_array(v.id, v.name, v.always_e2e, v.since_seq, v.first_epoch));
  for (const Epoch& e : c.epochs()) {
    append(out, wire::encode_array(e.number, e.start_seq, e.check));
    for (const auto& [slot, blob] : e.blobs)
      append(out, wire::encode_array(static_cast<std::uint32_t>(slot.kind), slot.reader, slot.vault,
                                     blob));
  }
  for (const HeadMark& m : c.head_marks()) {
    append(out, wire::encode_array(m.seq, m.epoch, m.fresh_epoch));
    for (const VaultHead& head : m.heads) append(out, wire::encode(head));
  }
  return out;
}

// Runs the property and names it; rapidcheck prints the seed and the smallest example on failure.
template <class Property>
void holds(const char* what, Property property) {
  EXPECT_TRUE(rc::check(what, property));
}

TEST(CircleProperty, ReadersAndBlobsAreExactlyThoseOfTheHistory) {
  holds("invariants after every statement", [] {
    History history;
    check_invariants(history.maker.circle());
    for (const auto& [choice, which] : any_steps()) {
      history.step(choice, which);
      check_invariants(history.maker.circle());
    }
  });
}

TEST(CircleProperty, ApplyIsPureAndReplayGivesTheSame) {
  holds("replay", [] {
    History history;
    for (const auto& [choice, which] : any_steps()) {
      const Circle before = history.maker.circle();
      const Bytes print = fingerprint(before);
      history.step(choice, which);
      if (history.maker.circle().seq() == before.seq()) continue;
      RC_ASSERT(before.apply(history.maker.statements().back()).ok());
      RC_ASSERT(fingerprint(before) == print);
    }
    const auto& statements = history.maker.statements();
    Circle again = *Circle::start(statements[0]);
    for (std::size_t i = 1; i < statements.size(); ++i) again = *again.apply(statements[i]);
    RC_ASSERT(fingerprint(again) == fingerprint(history.maker.circle()));
  });
}

// Every record stays acceptable to whoever replays the whole circle first and the vault after.
TEST(CircleProperty, RecordsReplayAgainstTheNewestCircle) {
  holds("records", [] {
    History history;
    for (const auto& [choice, which] : any_steps()) history.step(choice, which);
    for (const Vault& vault : history.maker.circle().vaults()) {
      ChainTip tip;
      for (const Bytes& record : history.maker.records(vault.id)) {
        const auto linked = extend(history.maker.circle(), vault.id, tip, record);
        RC_ASSERT(linked.ok());
        RC_ASSERT(linked->tip.circle_seq >= tip.circle_seq && linked->tip.epoch >= tip.epoch);
        tip = linked->tip;
      }
    }
  });
}

TEST(CircleProperty, StatementsDoNotReorder) {
  holds("order", [] {
    History history;
    for (const auto& [choice, which] : any_steps()) history.step(choice, which);
    const auto& statements = history.maker.statements();
    Circle circle = *Circle::start(statements[0]);
    for (std::size_t i = 1; i < statements.size(); ++i) {
      for (std::size_t k = 1; k < statements.size(); ++k)
        if (k != i) RC_ASSERT(!circle.apply(statements[k]).ok());
      circle = *circle.apply(statements[i]);
    }
  });
}

// One of each kind, with the circle that it applies to; none for the genesis.
struct Example {
  std::string name;
  std::optional<Circle> before;
  Bytes statement;

  bool accepts(BytesView bytes) const {
    return before ? before->apply(bytes).ok() : Circle::start(bytes).ok();
  }
};

std::vector<Example> examples() {
  std::vector<Example> out;
  CircleMaker maker;
  out.push_back({"genesis", std::nullopt, maker.statements()[0]});
  const auto add = [&](const char* name, const Bytes& statement) {
    out.push_back({name, maker.circle(), statement});
    maker.append(statement);
  };
  const TestDevice desktop = make_device("desktop");
  const TestRecovery paper = make_recovery("paper");
  add("admit", maker.sign(maker.admit(desktop), maker.first));
  add("set_vault", maker.sign(maker.set_vault("home"), maker.first));
  add("set_region", maker.sign(SetRegion{"DE"}, desktop));
  add("set_recovery", maker.sign(maker.set_recovery(make_recovery("old")), maker.first));
  add("replace", maker.sign_cosigned(maker.set_recovery(paper), maker.first, desktop));
  add("rotate", maker.sign(maker.rotate(), desktop));
  add("recover", maker.sign(maker.recover(make_device("fresh"), {desktop.id}), paper));
  add("remove", maker.sign(maker.remove({make_device("fresh").id}), desktop));
  return out;
}

TEST(EveryStatement, RefusesEveryBitFlip) {
  for (const Example& example : examples()) {
    ASSERT_TRUE(example.accepts(example.statement)) << example.name;
    Bytes bytes = example.statement;
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
      ASSERT_FALSE(example.accepts(bytes)) << example.name << ", bit " << bit;
      bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    }
  }
}

TEST(EveryStatement, RefusesEveryTruncationAndExtension) {
  for (const Example& example : examples()) {
    const BytesView whole = example.statement;
    for (std::size_t n = 0; n < whole.size(); ++n)
      ASSERT_FALSE(example.accepts(whole.first(n))) << example.name << ", " << n << " bytes";
    Bytes longer = example.statement;
    longer.push_back(0);
    EXPECT_FALSE(example.accepts(longer)) << example.name;
  }
}

TEST(EveryStatement, ReEncodesToItself) {
  for (const Example& example : examples())
    EXPECT_EQ(wire::encode(*wire::decode<SignedStatement>(example.statement)), example.statement);
}

TEST(EveryRecord, RefusesEveryBitFlipTruncationAndExtension) {
  CircleMaker maker;
  const VaultId home = maker.add_vault("home");
  Bytes bytes = sign_record(maker.record(home, maker.first), *maker.first.key);
  ASSERT_TRUE(maker.extend(home, bytes).ok());
  for (std::size_t n = 0; n < bytes.size(); ++n)
    ASSERT_FALSE(maker.extend(home, BytesView(bytes).first(n)).ok()) << n;
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    ASSERT_FALSE(maker.extend(home, bytes).ok()) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
  }
  bytes.push_back(0);
  EXPECT_FALSE(maker.extend(home, bytes).ok());
}

}  // namespace
}  // namespace holdfast::circle
