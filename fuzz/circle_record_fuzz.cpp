// Records of a vault against a fixed circle. The first byte chooses: the rest as it stands, or
// edits to a good record that is then signed properly by a member, so that the rules behind the
// signature are reached too.
#include "../tests/support/circle_maker.h"

using namespace holdfast;

namespace {

struct World {
  testkit::CircleMaker maker;
  testkit::TestDevice desktop = maker.admit_new("desktop");
  testkit::TestDevice phone = maker.admit_new("phone");
  VaultId home = maker.add_vault("home");
  circle::ChainTip old_tip;

  World() {
    maker.append_record(home, desktop);
    old_tip = maker.tips().at(home);
    maker.append_record(home, phone);
    maker.append(maker.remove({phone.id}), desktop);
  }
};

void check(const World& world, const circle::ChainTip& tip, BytesView bytes) {
  const auto linked = circle::extend(world.maker.circle(), world.home, tip, bytes);
  if (!linked.ok()) return;
  const circle::Circle& circle = world.maker.circle();
  const auto outer = wire::decode<circle::SignedRecord>(bytes);
  const auto decoded = wire::decode<circle::Record>(outer->record);
  const circle::Record& record = *decoded;
  HF_CHECK(linked->tip.n == tip.n + 1 && record.prev == tip.head);
  HF_CHECK(record.circle_seq >= tip.circle_seq && record.circle_seq <= circle.seq());
  HF_CHECK(record.epoch == circle.epoch_at(record.circle_seq));
  HF_CHECK(circle.device(record.signer)->member_at(record.circle_seq));
  // Nothing of the ended epoch beyond what the removal named; there, nothing but what it named.
  if (tip.n >= 2) HF_CHECK(record.epoch == circle.epoch());
  if (tip.n == 1) HF_CHECK(linked->tip.head == world.maker.tips().at(world.home).head);
  HF_CHECK(record.snapshot.has_value() == std::holds_alternative<circle::Taken>(linked->act));
  for (const std::uint64_t n : record.forgets) HF_CHECK(n >= 1 && n < record.n);
  for (const auto& ref : record.key_segments)
    HF_CHECK(!std::ranges::binary_search(record.dropped, ref.object));
}

// Of another kind than a snapshot, where the first byte says so.
circle::Record record_of(const World& world, const testkit::Signer& by, std::uint8_t mode) {
  circle::Record record = world.maker.record(world.home, by);
  if (!(mode & 0x30)) return record;
  record.snapshot.reset();
  record.kind = mode & 0x20 ? circle::RecordKind::kPrune : circle::RecordKind::kForget;
  if (mode & 0x20) record.dropped.emplace_back(record.circle_head.bytes);
  if (mode & 0x10) record.forgets.push_back(1);
  if ((mode & 0x70) == 0x60) record.kind = circle::RecordKind::kRekey;
  if ((mode & 0x30) == 0x30) record.kind = circle::RecordKind::kUndo;
  if ((mode & 0x30) == 0x30) std::swap(record.kept, record.dropped);
  return record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  if (size == 0) return 0;
  const std::uint8_t mode = data[0];
  const BytesView rest(data + 1, size - 1);
  const circle::ChainTip& tip = mode & 2 ? world.old_tip : world.maker.tips().at(world.home);
  if (mode & 1) {
    check(world, tip, rest);
    return 0;
  }
  const testkit::Signer& by = mode & 4 ? static_cast<const testkit::Signer&>(world.phone)
                                       : static_cast<const testkit::Signer&>(world.desktop);
  Bytes record = wire::encode(record_of(world, by, mode));
  if (mode & 8) record = to_bytes(rest);
  if (!(mode & 8))
    for (std::size_t i = 0; i + 2 < rest.size(); i += 3)
      record[(std::size_t{rest[i]} << 8 | rest[i + 1]) % record.size()] = rest[i + 2];
  circle::SignedRecord out;
  out.signature = by.key->sign("holdfast/v1/record/sig", record);
  out.record = std::move(record);
  check(world, tip, wire::encode(out));
  return 0;
}
