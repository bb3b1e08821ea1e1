// Packs that were sealed again: the pack that was written, or nothing, from whichever object.
#include <gtest/gtest.h>

#include <map>

#include "archive/check.h"
#include "crypto/hash.h"
#include "crypto/seal.h"

namespace holdfast::archive {
namespace {

// Keeps objects and nothing else.
class ObjectSession final : public api::Session {
 public:
  Result<void> put_pack(const PackId& pack, BytesView bytes) override {
    objects[pack] = to_bytes(bytes);
    return Ok{};
  }
  Result<Bytes> get_pack(const PackId& pack) override {
    const auto it = objects.find(pack);
    if (it == objects.end()) return Error{Code::kNotFound, "no such object"};
    return it->second;
  }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override {
    std::vector<bool> there;
    for (const PackId& pack : packs) there.push_back(objects.contains(pack));
    return there;
  }
  Result<api::Usage> usage() override { return none(); }
  Result<api::Usage> delete_account() override { return none(); }
  Result<api::Usage> keep_account() override { return none(); }
  Result<std::vector<api::Connection>> connections() override { return none(); }
  Result<std::uint64_t> wait_for_change(std::uint64_t, std::int64_t) override { return none(); }
  Result<std::vector<Bytes>> read_circle(std::uint64_t) override { return none(); }
  Result<api::Receipt> append(const api::Append&) override { return none(); }
  Result<Bytes> get_blob(const BlobId&) override { return none(); }
  Result<std::vector<RequestId>> list_joins() override { return none(); }
  Result<void> drop_join(const RequestId&) override { return none(); }
  Result<std::vector<Bytes>> read_records(const VaultId&, std::uint64_t) override { return none(); }
  Result<std::vector<TimeMs>> received(const VaultId&, std::uint64_t) override { return none(); }
  Result<api::Receipt> append_record(const VaultId&, BytesView) override { return none(); }

  std::map<PackId, Bytes> objects;

 private:
  static Error none() { return {Code::kInvalid, "this store keeps objects only"}; }
};

class Envelope : public ::testing::Test {
 protected:
  Envelope() {
    for (const std::uint32_t epoch : {1U, 2U})
      access_.segment_keys.emplace(epoch, crypto::Key<keys::SegmentPurpose>::random());
  }
  // Sealed, in the store.
  PackObject pack_of(std::string_view text) {
    SealedPack pack =
        make_single_pack(access_, PackKind::kSnapshot, ChunkType::kSnapshot, as_bytes(text));
    session_.objects[pack.id] = pack.bytes;
    return object_of(pack, 1);
  }
  SealedBytes inner(const PackObject& object) {
    return {keys::PackKey::from_bytes(crypto::expose(object.key)),
            session_.objects.at(object.name)};
  }
  PackObject sealed_again(const PackId& as, const PackObject& object) {
    auto envelope = seal_envelope(access_, as, inner(object)).value();
    session_.objects[envelope.object] = envelope.bytes;
    return {envelope.object, std::move(envelope.key), object.kind,
            static_cast<std::uint32_t>(envelope.bytes.size()), 2};
  }
  static PackEntry entry(const PackId& id, std::vector<PackObject> objects) {
    return {id, std::move(objects), false};
  }
  Result<std::string> text_of(const PackEntry& pack) {
    const Bytes plain = TRY(read_single_pack(cache_, access_, pack));
    return std::string(as_text(plain));
  }
  // What a catalog makes of one table with these entries, sealed for `epoch`.
  Result<void> loads(std::vector<PackKeyEntry> entries, std::uint32_t epoch) {
    KeySegment segment;
    segment.entries = std::move(entries);
    const Bytes sealed = crypto::seal(
        access_.segment_keys.at(epoch),
        wire::encode_array("holdfast/v1/key-segment", access_.circle, access_.vault, epoch),
        wire::encode(segment));
    const PackId name(crypto::sha256(sealed).bytes);
    session_.objects[name] = sealed;
    return check_key_segment(cache_, access_, {name, epoch});
  }

  VaultAccess access_{
      CircleId{}, VaultId{}, 2, keys::NamingKey::random(), keys::CuttingKey::random(), {}};
  ObjectSession session_;
  PackCache cache_{session_, ""};
};

std::vector<PackObject> list(PackObject one) {
  std::vector<PackObject> objects;
  objects.push_back(std::move(one));
  return objects;
}
std::vector<PackObject> list(PackObject one, PackObject other) {
  std::vector<PackObject> objects = list(std::move(one));
  objects.push_back(std::move(other));
  return objects;
}

TEST_F(Envelope, IsOpenedAsThePackThatItWas) {
  const PackObject pack = pack_of("alpha");
  const PackObject again = sealed_again(pack.name, pack);
  EXPECT_NE(again.name, pack.name);
  session_.objects.erase(pack.name);
  EXPECT_EQ(text_of(entry(pack.name, list(copy_of(again)))).value(), "alpha");
}

// Once more takes the pack, not the envelope: nothing grows.
TEST_F(Envelope, SealedOnceMoreHoldsThePackItself) {
  const PackObject pack = pack_of("alpha");
  const PackObject again = sealed_again(pack.name, pack);
  const auto read = read_object(cache_, access_, pack.name, again, Fetch::kSealed);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->bytes == session_.objects.at(pack.name));
  const auto once_more = seal_envelope(access_, pack.name, *read).value();
  EXPECT_EQ(once_more.bytes.size(), again.size);
}

TEST_F(Envelope, TheOldKeyOpensNothingOfIt) {
  const PackObject pack = pack_of("alpha");
  const PackObject again = sealed_again(pack.name, pack);
  const Bytes& sealed = session_.objects.at(again.name);
  EXPECT_FALSE(open_envelope(access_, pack.name, pack.key, sealed).ok());
  EXPECT_FALSE(
      OpenPack::open(access_.circle, access_.vault, pack.name, pack.key, pack.kind, sealed).ok());
}

// Whoever has the keys can seal what he likes, and name it as he likes.
TEST_F(Envelope, OfAnotherPackIsRefused) {
  const PackObject alpha = pack_of("alpha");
  const PackObject beta = pack_of("beta");
  const PackObject moved = sealed_again(beta.name, beta);
  EXPECT_EQ(text_of(entry(alpha.name, list(copy_of(moved)))).error().code, Code::kCorrupt);
  const PackObject planted = sealed_again(alpha.name, beta);
  const auto refused = text_of(entry(alpha.name, list(copy_of(planted))));
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("another one"), std::string::npos);
}

TEST_F(Envelope, OfAnotherVaultOrCircleIsRefused) {
  const PackObject pack = pack_of("alpha");
  const PackObject again = sealed_again(pack.name, pack);
  const Bytes& sealed = session_.objects.at(again.name);
  ASSERT_TRUE(open_envelope(access_, pack.name, again.key, sealed).ok());
  access_.vault.bytes[0] ^= 1;
  EXPECT_FALSE(open_envelope(access_, pack.name, again.key, sealed).ok());
  access_.vault.bytes[0] ^= 1;
  access_.circle.bytes[0] ^= 1;
  EXPECT_FALSE(open_envelope(access_, pack.name, again.key, sealed).ok());
}

TEST_F(Envelope, RejectsEveryTruncationAndFlip) {
  const PackObject pack = pack_of("alpha");
  const PackObject again = sealed_again(pack.name, pack);
  const Bytes good = session_.objects.at(again.name);
  for (std::size_t n = 0; n < good.size(); ++n) {
    EXPECT_FALSE(open_envelope(access_, pack.name, again.key, BytesView{good}.first(n)).ok()) << n;
    Bytes bad = good;
    bad[n] ^= 1;
    EXPECT_FALSE(open_envelope(access_, pack.name, again.key, bad).ok()) << n;
  }
}

TEST_F(Envelope, TooLargeForTheStoreIsNotMade) {
  const SealedBytes large{keys::PackKey::random(), Bytes(kMaxPack)};
  EXPECT_EQ(seal_envelope(access_, PackId{}, large).error().code, Code::kInvalid);
}

// In either order.
TEST_F(Envelope, TheObjectThatIsThereAndOpensCounts) {
  const PackObject pack = pack_of("alpha");
  const PackObject again = sealed_again(pack.name, pack);
  const auto either = entry(pack.name, list(copy_of(pack), copy_of(again)));
  const auto other = entry(pack.name, list(copy_of(again), copy_of(pack)));
  for (const PackId& gone : {pack.name, again.name}) {
    const Bytes kept = session_.objects.at(gone);
    session_.objects.erase(gone);
    EXPECT_EQ(text_of(either).value(), "alpha");
    EXPECT_EQ(text_of(other).value(), "alpha");
    session_.objects[gone] = Bytes(kept.size());
    Progress progress;
    EXPECT_EQ(check_object(cache_, access_, either, std::nullopt, either.objects[0], progress).ok(),
              gone == again.name);
    session_.objects[gone] = kept;
  }
  session_.objects.clear();
  EXPECT_EQ(text_of(either).error().code, Code::kNotFound);
}

TEST_F(Envelope, APackIsMissingWhereAllItsObjectsAre) {
  Catalog catalog;
  const PackObject pack = pack_of("alpha");
  catalog.add(pack.name, copy_of(pack), std::nullopt);
  catalog.add(pack.name, sealed_again(pack.name, pack), std::nullopt);
  catalog.add(pack.name, copy_of(pack), std::nullopt);
  ASSERT_EQ(catalog.pack_at(0).objects.size(), 2U) << "the same one is not listed twice";
  session_.objects.erase(pack.name);
  EXPECT_TRUE(missing_packs(cache_, catalog).value().empty());
  session_.objects.clear();
  EXPECT_EQ(missing_packs(cache_, catalog).value(), std::vector<std::uint32_t>{0});
}

// A table may list anything in front of what a pack is.
TEST_F(Envelope, APackIsOfTheKindOfTheObjectThatOpens) {
  PackObject lie = pack_of("alpha");
  const PackObject pack = copy_of(lie);
  lie.kind = PackKind::kIndex;
  Catalog catalog;
  catalog.add(pack.name, copy_of(lie), std::nullopt);
  catalog.add(pack.name, copy_of(pack), std::nullopt);
  ASSERT_EQ(catalog.pack_at(0).objects.size(), 2U) << "of another kind it is another";
  EXPECT_FALSE(is_index(catalog.pack_at(0)));
  EXPECT_EQ(text_of(catalog.pack_at(0)).value(), "alpha");
  // What indexes say of a data pack stays in the index when that is written anew.
  SealedPack data =
      make_single_pack(access_, PackKind::kData, ChunkType::kData, as_bytes("content"));
  PackObject object = object_of(data, 1);
  PackObject other = copy_of(object);
  other.kind = PackKind::kIndex;
  catalog.add(object.name, std::move(other), std::nullopt);
  catalog.add(object.name, copy_of(object), data.header);
  EXPECT_EQ(make_index_packs(access_, catalog, {1}).value().size(), 1U);
}

// A record lists at most 1024 of them: 10 million chunks, of a MiB each in packs of 16, must fit.
TEST_F(Envelope, AnIndexSegmentTakesManyPacks) {
  Catalog catalog;
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < 2048; ++i) {
    PackHeader header;
    header.kind = PackKind::kData;
    for (std::uint32_t f = 0; f < 16; ++f) {
      FrameInfo frame{1 << 20, 1 << 20, {}};
      ChunkId id;
      crypto::random_fill(id.bytes);
      frame.chunks.push_back({id, ChunkType::kData, 1 << 20});
      header.frames.push_back(std::move(frame));
    }
    PackId id;
    crypto::random_fill(id.bytes);
    catalog.add(id, {id, keys::PackKey::random(), PackKind::kData, 17'000'000, 1},
                std::move(header));
    numbers.push_back(i);
  }
  EXPECT_EQ(make_index_packs(access_, catalog, numbers)->size(), 1U);
}

TEST_F(Envelope, TablesKeepEveryObject) {
  Catalog catalog;
  const PackObject pack = pack_of("alpha");
  const PackObject again = sealed_again(pack.name, pack);
  catalog.add(pack.name, copy_of(again), std::nullopt);
  catalog.add(pack.name, copy_of(pack), std::nullopt);
  const auto written = write_key_segments(cache_, access_, catalog, {0}).value();
  Findings findings;
  const auto read = Catalog::load(cache_, access_, written.refs, {}, findings).value();
  ASSERT_EQ(read.pack_count(), 1U);
  ASSERT_EQ(read.pack_at(0).objects.size(), 2U);
  EXPECT_TRUE(same_object(read.pack_at(0).objects[0], again));
  EXPECT_TRUE(same_object(read.pack_at(0).objects[1], pack));
  EXPECT_EQ(read.pack_at(0).objects[0].epoch, 2U);
  EXPECT_EQ(read.pack_at(0).objects[1].epoch, 1U);
}

TEST_F(Envelope, ATableThatSaysImpossibleThingsIsRefused) {
  const PackObject pack = pack_of("alpha");
  const PackKeyEntry good = key_entry(pack.name, pack);
  EXPECT_TRUE(loads({good}, 1).ok());
  const auto refused = [&](const PackKeyEntry& bad, std::uint32_t epoch) {
    const auto loaded = loads({good, bad}, epoch);
    return !loaded.ok() && loaded.error().code == Code::kInvalid;
  };
  PackKeyEntry bad = good;
  bad.object = bad.pack;  // a second spelling
  EXPECT_TRUE(refused(bad, 1));
  bad = good;
  bad.epoch = 0;
  EXPECT_TRUE(refused(bad, 1));
  bad.epoch = 2;
  EXPECT_TRUE(refused(bad, 1)) << "of an epoch after the table's own";
  EXPECT_FALSE(refused(bad, 2));
  bad = good;
  bad.size = kMaxPack + 1;
  EXPECT_TRUE(refused(bad, 1));
}

}  // namespace
}  // namespace holdfast::archive
