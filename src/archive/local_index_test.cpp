// The index of a vault as a file on the device's disk: it says what the index segments say, or it
// is made again.
#include "archive/local_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "archive/catalog.h"
#include "archive/test_store.h"
#include "base/file.h"

namespace holdfast::archive {
namespace {

namespace fs = std::filesystem;

template <class T>
T any_id() {
  T id;
  crypto::random_fill(id.bytes);
  return id;
}

constexpr std::uint32_t kChunksOfPack = 1000;

PackHeader header_of(const std::vector<ChunkId>& chunks) {
  PackHeader header;
  header.kind = PackKind::kData;
  for (std::size_t at = 0; at < chunks.size();) {
    FrameInfo frame;
    for (; frame.chunks.size() < 7 && at < chunks.size(); ++at) {
      frame.chunks.push_back({chunks[at], ChunkType::kData, static_cast<std::uint32_t>(at + 1)});
      frame.raw += static_cast<std::uint32_t>(at + 1);
    }
    header.frames.push_back(std::move(frame));
  }
  return header;
}

std::vector<ChunkId> any_chunks(std::size_t count = kChunksOfPack) {
  std::vector<ChunkId> chunks(count);
  for (ChunkId& chunk : chunks) chunk = any_id<ChunkId>();
  return chunks;
}

// A vault with index segments and no data.
class LocalIndexTest : public ::testing::Test {
 protected:
  LocalIndexTest() {
    access_.epoch = 1;
    access_.naming = keys::NamingKey::random();
    access_.segment_keys.emplace(1U, crypto::Key<keys::SegmentPurpose>::random());
    std::string pattern = (fs::temp_directory_path() / "local-index-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    cache_.emplace(session_, folder_);
  }
  ~LocalIndexTest() override { fs::remove_all(folder_); }

  // One segment of one pack.
  PackId add_pack(const std::vector<ChunkId>& chunks) {
    Catalog made;
    const auto pack = any_id<PackId>();
    made.add(pack, {pack, keys::PackKey::random(), PackKind::kData, 1000, 1}, header_of(chunks));
    auto index = make_index_packs(access_, made, {0}).value();
    session_.objects[index.at(0).id] = index[0].bytes;
    indexes_.push_back(index[0].id);
    made.add(index[0].id, object_of(index[0], 1), std::nullopt);
    const auto written = write_key_segments(*cache_, access_, made, {0, 1}).value();
    keys_.insert(keys_.end(), written.refs.begin(), written.refs.end());
    return pack;
  }
  Catalog load(Rebuild rebuild = Rebuild::kYes) {
    findings_ = {};
    return Catalog::load(*cache_, access_, keys_, indexes_, findings_, rebuild).value();
  }
  std::string file() const { return folder_ + "/" + access_.vault.hex() + ".index"; }
  // What no command could read again.
  void lose_indexes() {
    for (const PackId& id : indexes_) {
      session_.objects.erase(id);
      fs::remove(folder_ + "/" + id.hex());
    }
  }
  void expect_in(const Catalog& catalog, const std::vector<ChunkId>& chunks, const PackId& pack) {
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      const auto place = catalog.find(chunks[i]);
      ASSERT_TRUE(place) << i;
      ASSERT_EQ(catalog.pack_at(place->pack).id, pack) << i;
      ASSERT_EQ(place->length, i + 1);
      ASSERT_EQ(place->frame, i / 7);
      ASSERT_EQ(place->type, ChunkType::kData);
      const std::size_t first = i / 7 * 7;
      ASSERT_EQ(place->offset, (i * (i + 1) - first * (first + 1)) / 2);
    }
  }

  VaultAccess access_{};
  ObjectStore session_;
  std::string folder_;
  std::optional<PackCache> cache_;
  std::vector<SegmentRef> keys_;
  std::vector<PackId> indexes_;
  Findings findings_;
};

TEST_F(LocalIndexTest, SaysWhatTheSegmentsSaid) {
  std::vector<std::pair<PackId, std::vector<ChunkId>>> packs;
  for (int i = 0; i < 5; ++i) {
    auto chunks = any_chunks();
    packs.emplace_back(add_pack(chunks), std::move(chunks));
  }
  load();
  ASSERT_TRUE(fs::exists(file()));
  lose_indexes();
  const Catalog catalog = load();
  EXPECT_TRUE(findings_.notes.empty()) << "no segment was asked for";
  for (const auto& [pack, chunks] : packs) {
    expect_in(catalog, chunks, pack);
    const std::uint32_t number = *catalog.pack_number(pack);
    EXPECT_TRUE(catalog.pack_at(number).indexed);
    EXPECT_EQ(wire::encode(catalog.header(number).value().value()),
              wire::encode(header_of(chunks)));
  }
  EXPECT_FALSE(catalog.find(any_id<ChunkId>()));
  EXPECT_TRUE(catalog.check_local_index().ok());
}

TEST_F(LocalIndexTest, TakesUpWhatCameSince) {
  const auto first = any_chunks(5000);
  const PackId pack = add_pack(first);
  load();
  const auto few = any_chunks(10);
  const PackId small = add_pack(few);
  const auto written = fs::last_write_time(file());
  {
    const Catalog catalog = load();
    expect_in(catalog, first, pack);
    expect_in(catalog, few, small);
    EXPECT_EQ(fs::last_write_time(file()), written) << "too few to write it anew";
  }
  const auto many = any_chunks(5000);
  const PackId large = add_pack(many);
  load();
  lose_indexes();
  const Catalog catalog = load();
  EXPECT_TRUE(findings_.notes.empty());
  expect_in(catalog, first, pack);
  expect_in(catalog, few, small);
  expect_in(catalog, many, large);
}

TEST_F(LocalIndexTest, TheLaterSegmentCounts) {
  const auto shared = any_chunks(5000);
  add_pack(shared);
  load();
  const PackId second = add_pack(shared);
  expect_in(load(), shared, second);  // written anew, both in it
  const PackId third = add_pack({shared.begin(), shared.begin() + 100});
  Catalog catalog = load();  // beside it
  expect_in(catalog, {shared.begin(), shared.begin() + 100}, third);
  catalog.leave_out({*catalog.pack_number(third)});
  expect_in(catalog, {shared.begin(), shared.begin() + 100}, second);
}

// However the list came to be read, in parts or at once.
TEST_F(LocalIndexTest, AnEarlierSegmentThatComesBackLateDoesNotCount) {
  const auto shared = any_chunks(5000);
  const PackId first = add_pack(shared);
  const PackId second = add_pack(shared);
  const Bytes kept = session_.objects.at(indexes_[0]);
  session_.objects.erase(indexes_[0]);
  expect_in(load(), shared, second);
  session_.objects[indexes_[0]] = kept;
  const Catalog catalog = load();
  expect_in(catalog, shared, second);
  EXPECT_TRUE(catalog.pack_at(*catalog.pack_number(first)).indexed);
  EXPECT_TRUE(catalog.is_replaced(*catalog.pack_number(first)).value());
  EXPECT_FALSE(catalog.is_replaced(*catalog.pack_number(second)).value());
}

TEST_F(LocalIndexTest, IsMadeAgainWhereASegmentIsNoLongerListed) {
  const auto gone = any_chunks(5000);
  add_pack(gone);
  const auto stays = any_chunks(5000);
  const PackId pack = add_pack(stays);
  load();
  indexes_.erase(indexes_.begin());
  const Catalog catalog = load();
  expect_in(catalog, stays, pack);
  EXPECT_FALSE(catalog.find(gone[0]));
  EXPECT_TRUE(findings_.notes.empty());
  lose_indexes();
  expect_in(load(), stays, pack);
}

TEST_F(LocalIndexTest, IsNotUsedWhereAPackLostItsKey) {
  const auto chunks = any_chunks(5000);
  add_pack(chunks);
  load();
  keys_.clear();
  const Catalog catalog = load();
  EXPECT_FALSE(catalog.find(chunks[0]));
  EXPECT_EQ(catalog.unread().size(), 1U);
}

TEST_F(LocalIndexTest, NothingIsWrittenByWhoOnlyCompares) {
  add_pack(any_chunks(5000));
  load(Rebuild::kNo);
  EXPECT_FALSE(fs::exists(file()));
}

// Wherever it is damaged, it is made again, or the command says so.
TEST_F(LocalIndexTest, DamageIsFoundEverywhere) {
  const auto chunks = any_chunks(5000);
  const PackId pack = add_pack(chunks);
  load();
  const Bytes good = read_file(file(), 1 << 24).value();
  for (std::size_t at = 0; at < good.size(); at += at < 200 || at + 100 > good.size() ? 1 : 8191) {
    Bytes bad = good;
    bad[at] ^= 1;
    ASSERT_TRUE(replace_file(file(), bad).ok());
    const auto index = LocalIndex::open(file(), access_);
    if (!index.ok()) continue;
    // Only a header is not read with the rest.
    EXPECT_EQ(index->header(0).error().code, Code::kUnavailable) << at;
    EXPECT_FALSE(fs::exists(file())) << "it is put away";
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{3}, good.size() / 2, good.size() - 1}) {
    ASSERT_TRUE(replace_file(file(), BytesView(good).first(size)).ok());
    const Catalog catalog = load();
    expect_in(catalog, chunks, pack);
    EXPECT_EQ(findings_.notes.size(), 1U) << "one line says it";
    load();
    EXPECT_TRUE(findings_.notes.empty()) << "it was made again";
  }
}

TEST_F(LocalIndexTest, TellsNothingInPlainAndIsOfNoUseToOthers) {
  const auto chunks = any_chunks(5000);
  add_pack(chunks);
  load();
  const Bytes bytes = read_file(file(), 1 << 24).value();
  for (const ChunkId& chunk : {chunks.front(), chunks.back()})
    EXPECT_TRUE(std::ranges::search(bytes, BytesView(chunk.bytes).first(8)).empty());
  EXPECT_EQ(fs::status(file()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  VaultAccess other = {access_.circle, access_.vault, 1, std::nullopt, std::nullopt, {}};
  EXPECT_EQ(LocalIndex::open(file(), other).error().code, Code::kNotFound);
  other.segment_keys.emplace(1U, crypto::Key<keys::SegmentPurpose>::random());
  EXPECT_EQ(LocalIndex::open(file(), other).error().code, Code::kCorrupt);
}

// A device that was taken over names ids as it likes.
TEST_F(LocalIndexTest, FindsIdsThatBeginAlike) {
  std::vector<ChunkId> chunks = any_chunks(5000);
  for (std::size_t i = 0; i < 3000; ++i)
    std::fill(chunks[i].bytes.begin(), chunks[i].bytes.begin() + 8, std::uint8_t{0x55});
  const PackId pack = add_pack(chunks);
  load();
  lose_indexes();
  const Catalog catalog = load();
  expect_in(catalog, chunks, pack);
  ChunkId other = any_id<ChunkId>();
  std::fill(other.bytes.begin(), other.bytes.begin() + 8, std::uint8_t{0x55});
  EXPECT_FALSE(catalog.find(other));
}

TEST(ChunkTable, FindsWhatWasPutLast) {
  ChunkTable table;
  EXPECT_EQ(table.find(any_id<ChunkId>()), nullptr);
  std::vector<ChunkId> ids = any_chunks(3000);
  for (std::uint32_t round = 1; round <= 2; ++round)
    for (std::uint32_t i = 0; i < ids.size(); ++i)
      table.put({ids[i], {round, i, 1, 2, ChunkType::kData}});
  EXPECT_EQ(table.rows().size(), ids.size());
  for (std::uint32_t i = 0; i < ids.size(); ++i) {
    const ChunkPlace* const place = table.find(ids[i]);
    ASSERT_NE(place, nullptr);
    EXPECT_EQ(place->pack, 2U);
    EXPECT_EQ(place->offset, i);
  }
  table.clear();
  EXPECT_EQ(table.find(ids[0]), nullptr);
}

}  // namespace
}  // namespace holdfast::archive
