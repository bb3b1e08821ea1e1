// One thing taken for another: a user's file whose bytes are a valid manifest, snapshot, statement
// or pack is a file and nothing else, whoever points at it. Ids and seals name the type.
#include "hostile/two_devices.h"

namespace holdfast::hostile {
namespace {

class Confusion : public TwoDevices {
 protected:
  // A manifest with one entry that nobody saved.
  static Bytes planted_manifest() {
    return wire::encode(HostileMember::named(0, "planted", archive::EntryKind::kDirectory));
  }
  void save(const std::string& name, BytesView bytes) {
    write(folder_ / ("data/" + name), std::string(as_text(bytes)));
  }
};

TEST_F(Confusion, FilesThatSpellFormatsComeBackAsFiles) {
  archive::Snapshot snapshot;
  snapshot.device = "laptop";
  const auto session = must(store_->open_account("me", vault::caller(home_.device_key())));
  save("manifest", planted_manifest());
  save("snapshot", wire::encode(snapshot));
  save("statement", must(session->read_circle(0))[0]);
  save("segment", wire::encode(archive::KeySegment()));
  save("index", wire::encode(archive::IndexSegment()));
  backup_id(*account_, folder_ / "data");
  const auto record = must(session->read_records(account_->circle().vaults()[0].id, 1))[0];
  save("record", record);
  const auto outer = must(wire::decode<circle::SignedRecord>(record));
  const auto opened = must(wire::decode<circle::Record>(outer.record));
  save("pack", must(session->get_pack(*opened.snapshot)));
  backup_id(*account_, folder_ / "data");
  EXPECT_EQ(restore(folder_ / "out").reasons, "");
  for (const std::string name :
       {"manifest", "snapshot", "statement", "segment", "index", "record", "pack"})
    EXPECT_EQ(read(folder_ / ("out" + (folder_ / "data/") + name)),
              read(folder_ / ("data/" + name)))
        << name;
  archive::Findings findings;
  EXPECT_EQ(must(account_->snapshots("main", findings)).size(), 2U);
}

// The list of files of a snapshot points at the content of a file.
TEST_F(Confusion, AFileIsNeverReadAsTheListOfFiles) {
  HostileMember member(nas_home_, *store_, clock_);
  member.commit(member.content(planted_manifest()));
  EXPECT_NE(restore(folder_ / "out").reasons.find("does not hold what the index says"),
            std::string::npos);
  EXPECT_EQ(names_below(folder_ / "out"), std::vector<std::string>{});
}

// And an index lies that it is one. The index is believed where the chunk lies, never what it is.
TEST_F(Confusion, NotEvenWhenTheIndexSaysSo) {
  HostileMember member(nas_home_, *store_, clock_);
  const Bytes plain = planted_manifest();
  const ChunkId id = member.chunk_id(archive::ChunkType::kData, plain);
  archive::FrameInfo frame;
  frame.raw = static_cast<std::uint32_t>(plain.size());
  frame.chunks.push_back({id, archive::ChunkType::kData, frame.raw});
  archive::FrameInfo shown = frame;
  shown.chunks[0].type = archive::ChunkType::kManifest;
  member.pack(archive::PackKind::kData, shown, archive::Compressor().compress(plain));
  archive::Content tree;
  tree.extents.push_back({id, plain.size()});
  member.commit(tree);
  EXPECT_NE(restore(folder_ / "out").reasons.find("does not hold what the index says"),
            std::string::npos);
  EXPECT_EQ(names_below(folder_ / "out"), std::vector<std::string>{});
}

// A pack that a member sealed as contents, named by a record as the snapshot.
TEST_F(Confusion, APackOfContentsIsNoSnapshot) {
  HostileMember member(nas_home_, *store_, clock_);
  archive::Snapshot planted;
  planted.device = "laptop";
  const Bytes plain = wire::encode(planted);
  const auto made = archive::make_single_pack(member.access(), archive::PackKind::kData,
                                              archive::ChunkType::kData, plain);
  EXPECT_FALSE(archive::OpenPack::open(member.access().circle, member.access().vault, made.id,
                                       made.key, archive::PackKind::kSnapshot, made.bytes)
                   .ok());
}

}  // namespace
}  // namespace holdfast::hostile
