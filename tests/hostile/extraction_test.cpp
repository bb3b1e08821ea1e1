// Snapshots that were written, with valid keys and a valid signature, to make a restore write where
// it should not, or without end. A restore is the extraction of an archive that is not trusted:
// names with ".." and absolute ones; a symlink first and then a file through it (CVE-2026-23745,
// node-tar; CVE-2024-12087, rsync, where a server does it to a client); a hard link to what lies
// outside (CVE-2026-26960, node-tar); device files; bombs.
#include "hostile/two_devices.h"

namespace holdfast::hostile {
namespace {

using namespace std::string_literals;
using archive::EntryKind;

class Extraction : public TwoDevices {
 protected:
  Extraction() : member_(std::in_place, nas_home_, *store_, clock_) {
    write(folder_ / "outside/secret", "untouched");
  }
  ~Extraction() override {
    EXPECT_EQ(names_below(folder_ / "outside"), std::vector<std::string>{"secret"});
    EXPECT_EQ(read(folder_ / "outside/secret"), "untouched");
    EXPECT_EQ(testkit::stat_of(folder_ / "outside/secret").st_nlink, 1U);
  }
  // Each snapshot takes a fresh view of the account.
  HostileMember& next_snapshot() { return member_.emplace(nas_home_, *store_, clock_); }

  std::optional<HostileMember> member_;
};

class ExtractionName : public Extraction, public ::testing::WithParamInterface<std::string> {};

TEST_P(ExtractionName, ThatIsNotOneComponentEndsTheRestore) {
  member_->file(0, "!first", "fine");
  member_->file(0, GetParam(), "evil");
  member_->commit();
  const Restored restored = restore(folder_ / "out");
  EXPECT_NE(restored.reasons.find("an entry has an impossible name"), std::string::npos)
      << restored.reasons;
  EXPECT_TRUE(restored.damaged);
  EXPECT_EQ(names_below(folder_ / "out"), std::vector<std::string>{"!first"});
}

INSTANTIATE_TEST_SUITE_P(Names, ExtractionName,
                         ::testing::Values("..", "../outside/evil", "/etc/evil", "a/b", ".",
                                           "nul\0evil"s, std::string(256, 'x')),
                         [](const auto& name) { return "name" + std::to_string(name.index); });

TEST_F(Extraction, NeverWritesThroughASymlinkOfTheSameSnapshot) {
  member_->symlink(0, "dir", folder_ / "outside");
  member_->file(1, "evil", "evil");
  member_->commit();
  EXPECT_NE(restore(folder_ / "out").reasons.find("an entry lies in no directory"),
            std::string::npos);
}

TEST_F(Extraction, ANameStandsOnceInADirectory) {
  member_->symlink(0, "dir", folder_ / "outside");
  member_->directory(0, "dir");
  member_->file(1, "evil", "evil");
  member_->commit();
  EXPECT_NE(restore(folder_ / "out").reasons.find("out of order"), std::string::npos);
}

// The link comes with one snapshot, the file that goes through it with the next.
TEST_F(Extraction, NeverWritesThroughASymlinkThatARestoreLeft) {
  member_->symlink(0, "dir", folder_ / "outside");
  member_->symlink(0, "file", folder_ / "outside/secret");
  member_->commit();
  EXPECT_EQ(restore(folder_ / "out").reasons, "");
  HostileMember& second = next_snapshot();
  second.directory(0, "dir");
  second.file(1, "evil", "evil");
  second.file(0, "file", "evil");
  second.commit();
  for (const archive::Overwrite overwrite :
       {archive::Overwrite::kNever, archive::Overwrite::kOlder, archive::Overwrite::kAlways}) {
    const Restored restored = restore(folder_ / "out", overwrite);
    EXPECT_NE(restored.reasons.find("dir"), std::string::npos) << restored.reasons;
    EXPECT_TRUE(fs::is_symlink(folder_ / "out/dir"));
  }
  // kAlways replaced the link itself.
  EXPECT_EQ(read(folder_ / "out/file"), "evil");
  EXPECT_FALSE(fs::is_symlink(folder_ / "out/file"));
}

// "The second name of the file that lies outside": through a symlink as its first name, and by the
// numbers of the real file.
TEST_F(Extraction, AHardLinkNeverLeadsOutside) {
  const auto outside = testkit::stat_of(folder_ / "outside/secret");
  archive::Entry link = HostileMember::named(0, "a-link", EntryKind::kSymlink);
  link.target = to_bytes(as_bytes(folder_ / "outside/secret"));
  archive::Entry file = HostileMember::named(0, "b-file", EntryKind::kFile);
  for (archive::Entry* entry : {&link, &file}) {
    entry->device = outside.st_dev;
    entry->inode = outside.st_ino;
    entry->links = 2;
  }
  member_->entry(link);
  file.content = member_->content(as_bytes("evil"));
  file.size = 4;
  member_->entry(file);
  member_->commit();
  restore(folder_ / "out");
  if (fs::exists(fs::symlink_status(folder_ / "out/b-file"))) {
    EXPECT_FALSE(fs::is_symlink(folder_ / "out/b-file"));
  }
}

TEST_F(Extraction, ADeviceFileTakesRoot) {
  archive::Entry device = HostileMember::named(0, "null", EntryKind::kCharDevice);
  device.rdev = 0x103;
  member_->entry(device);
  member_->commit();
  must_do(account_->sync());
  const auto snapshot = must(account_->find_snapshot("main", "latest"));
  const std::string out = folder_ / "out";
  testkit::make_dir(out, 0777);
  testkit::unprivileged([&] {
    archive::Progress progress;
    vault::Account::RestoreOptions options;
    options.target.directory = out;
    const auto report = account_->restore(snapshot, options, progress);
    ASSERT_TRUE(report.ok()) << report.error().message;
    ASSERT_FALSE(report->findings.problems.empty());
    EXPECT_NE(report->findings.problems[0].reason.find("needs root"), std::string::npos)
        << report->findings.problems[0].reason;
  });
  EXPECT_EQ(names_below(out), std::vector<std::string>{});
}

// ---- without end ----

TEST_F(Extraction, AFrameThatBecomesMoreThanItMayIsNotOpened) {
  const Bytes zeros(64 * 1024 * 1024);
  const ChunkId id = member_->chunk_id(archive::ChunkType::kData, zeros);
  archive::FrameInfo frame;
  frame.raw = static_cast<std::uint32_t>(zeros.size());
  frame.chunks.push_back({id, archive::ChunkType::kData, frame.raw});
  member_->pack(archive::PackKind::kData, frame, archive::Compressor().compress(zeros));
  archive::Entry file = HostileMember::named(0, "bomb", EntryKind::kFile);
  file.size = zeros.size();
  file.content.extents.push_back({id, zeros.size()});
  member_->entry(file);
  member_->commit();
  const Restored restored = restore(folder_ / "out");
  EXPECT_NE(restored.reasons.find("a frame reaches outside"), std::string::npos)
      << restored.reasons;
  EXPECT_EQ(names_below(folder_ / "out"), std::vector<std::string>{});
}

TEST_F(Extraction, AFrameThatBecomesMoreThanItSaysIsRefused) {
  const Bytes zeros(4 * 1024 * 1024);
  const ChunkId id = member_->chunk_id(archive::ChunkType::kData, BytesView(zeros).first(1024));
  archive::FrameInfo frame;
  frame.raw = 1024;
  frame.chunks.push_back({id, archive::ChunkType::kData, frame.raw});
  member_->pack(archive::PackKind::kData, frame, archive::Compressor().compress(zeros));
  archive::Entry file = HostileMember::named(0, "bomb", EntryKind::kFile);
  file.size = 1024;
  file.content.extents.push_back({id, 1024});
  member_->entry(file);
  member_->commit();
  EXPECT_NE(restore(folder_ / "out").reasons.find("a frame does not decompress"),
            std::string::npos);
  EXPECT_EQ(names_below(folder_ / "out"), std::vector<std::string>{});
}

// One chunk, named again and again, by an entry that says it is small.
TEST_F(Extraction, AFileNeverGrowsBeyondItsSize) {
  archive::Entry file = HostileMember::named(0, "bomb", EntryKind::kFile);
  const Bytes zeros(8 * 1024 * 1024);
  const auto once = member_->content(zeros).extents[0];
  file.content.extents.assign(archive::kMaxExtents, once);
  file.size = once.length + 1;
  member_->entry(file);
  member_->commit();
  EXPECT_NE(restore(folder_ / "out").reasons.find("not as long as its entry says"),
            std::string::npos);
  EXPECT_EQ(names_below(folder_ / "out"), std::vector<std::string>{});
}

TEST_F(Extraction, ListsOfListsEnd) {
  archive::Entry file = HostileMember::named(0, "bomb", EntryKind::kFile);
  file.content = member_->content(as_bytes("a"));
  file.content.level = 5;
  file.size = 1;
  member_->entry(file);
  member_->commit();
  EXPECT_NE(restore(folder_ / "out").reasons.find("nested too deep"), std::string::npos);
}

// A list of files that is one part, a thousand times: its names cannot be in order.
TEST_F(Extraction, AManifestThatRepeatsItselfEnds) {
  const Bytes part = wire::encode(HostileMember::named(0, "again", EntryKind::kDirectory));
  const ChunkId id = member_->chunk_id(archive::ChunkType::kManifest, part);
  archive::FrameInfo frame;
  frame.raw = static_cast<std::uint32_t>(part.size());
  frame.chunks.push_back({id, archive::ChunkType::kManifest, frame.raw});
  member_->pack(archive::PackKind::kMeta, frame, archive::Compressor().compress(part));
  archive::Content tree;
  tree.extents.assign(archive::kMaxExtents, {id, part.size()});
  member_->commit(tree);
  EXPECT_NE(restore(folder_ / "out").reasons.find("out of order"), std::string::npos);
  EXPECT_EQ(names_below(folder_ / "out"), std::vector<std::string>{"again"});
}

}  // namespace
}  // namespace holdfast::hostile
