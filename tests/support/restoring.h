// Restores into a Target as the restore engine does, from trees told by hand or walked on disk.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "archive/target.h"
#include "archive/walk.h"
#include "support/file_tree.h"
#include "support/tree_compare.h"

namespace holdfast::testkit {

using namespace archive;
using Texts = std::vector<std::string>;

// ---- contents ----

// A file's own bytes, read where its data lies.
class FileContent final : public ContentSource {
 public:
  FileContent(Fd fd, std::uint64_t size) : fd_(std::move(fd)), size_(static_cast<off_t>(size)) {}

  Result<std::optional<Piece>> next() override {
    if (!fd_.valid() || at_ >= size_) return std::optional<Piece>();
    off_t data = ::lseek(fd_.get(), at_, SEEK_DATA);
    if (data < 0) data = size_;
    Piece piece;
    if (data > at_) {
      piece.hole = static_cast<std::uint64_t>(data - at_);
      at_ = data;
      return std::optional<Piece>(piece);
    }
    const off_t end =
        std::min(::lseek(fd_.get(), at_, SEEK_HOLE), at_ + static_cast<off_t>(buffer_.size()));
    const ssize_t n = ::pread(fd_.get(), buffer_.data(), static_cast<std::size_t>(end - at_), at_);
    if (n <= 0) return io_error("read", "the source", errno);
    at_ += n;
    piece.data = BytesView(buffer_).first(static_cast<std::size_t>(n));
    return std::optional<Piece>(piece);
  }

 private:
  Fd fd_;
  off_t size_;
  off_t at_ = 0;
  Bytes buffer_ = Bytes(100'000);
};

// Pieces as they are told: text, or a hole of so many bytes. Then, perhaps, an error.
class ToldContent final : public ContentSource {
 public:
  explicit ToldContent(std::string text) : pieces_{{std::move(text), 0}} {}
  using Told = std::pair<std::string, std::uint64_t>;
  explicit ToldContent(std::vector<Told> pieces) : pieces_(std::move(pieces)) {}
  void fail_at_the_end() { fails_ = true; }

  Result<std::optional<Piece>> next() override {
    if (next_ == pieces_.size()) {
      if (fails_) return Error{Code::kCorrupt, "a chunk is damaged"};
      return std::optional<Piece>();
    }
    const Told& told = pieces_[next_++];
    return std::optional<Piece>(Piece{as_bytes(told.first), told.second});
  }

 private:
  std::vector<Told> pieces_;
  std::size_t next_ = 0;
  bool fails_ = false;
};

// ---- trees told by hand ----

struct Item {
  Entry entry;
  std::string content;
};

inline Entry entry_of(std::uint32_t depth, std::string_view name, EntryKind kind) {
  Entry entry;
  entry.depth = depth;
  entry.name = to_bytes(as_bytes(name));
  entry.kind = kind;
  entry.mode = kind == EntryKind::kDirectory ? 0755 : 0644;
  entry.uid = ::geteuid();
  entry.gid = ::getegid();
  entry.mtime = {1'600'000'000, 5};
  entry.links = 1;
  return entry;
}

inline Item a_dir(std::uint32_t depth, std::string_view name) {
  return {entry_of(depth, name, EntryKind::kDirectory), ""};
}
inline Item a_file(std::uint32_t depth, std::string_view name, std::string content = "new") {
  Item item{entry_of(depth, name, EntryKind::kFile), std::move(content)};
  item.entry.size = item.content.size();
  return item;
}
inline Item a_link(std::uint32_t depth, std::string_view name, std::string_view target) {
  Item item{entry_of(depth, name, EntryKind::kSymlink), ""};
  item.entry.target = to_bytes(as_bytes(target));
  return item;
}
inline Item with_inode(Item item, std::uint64_t inode) {
  item.entry.device = 1;
  item.entry.inode = inode;
  item.entry.links = 2;
  return item;
}

struct Restored {
  Texts errors;   // of any pass
  Texts skipped;  // paths, each with the reason
  Texts later;
  std::size_t made = 0;  // directories and jobs that ran
  Findings findings;
};

inline Target open_target(TargetOptions options) {
  auto target = Target::open(std::move(options));
  EXPECT_TRUE(target.ok()) << target.error().message;
  return std::move(*target);
}

template <class Content>
void place_one(Target& target, const Entry& entry, const Content& content, Restored& to) {
  auto placed = target.place(entry);
  if (!placed.ok()) return to.errors.push_back(placed.error().message);
  if (auto* skipped = std::get_if<Skipped>(&*placed))
    to.skipped.push_back(target.path() + ": " + skipped->reason);
  if (std::holds_alternative<Later>(*placed)) to.later.push_back(target.path());
  if (std::holds_alternative<Made>(*placed)) ++to.made;
  if (auto* job = std::get_if<PlaceJob>(&*placed)) {
    EXPECT_EQ(job->path(), target.path());
    auto source = content(entry);
    if (auto ran = job->run(source, to.findings); !ran.ok())
      to.errors.push_back(ran.error().message);
    else
      ++to.made;
  }
}

inline void link_and_finish(Target& target, const std::vector<Entry>& entries, Restored& to) {
  const auto keep = [&](const Result<void>& done) {
    if (!done.ok()) to.errors.push_back(done.error().message);
  };
  keep(target.end_pass(to.findings));
  target.begin_pass();
  for (const Entry& entry : entries) keep(target.link(entry, to.findings));
  keep(target.end_pass(to.findings));
  target.begin_pass();
  for (const Entry& entry : entries) keep(target.finish(entry, to.findings));
  keep(target.end_pass(to.findings));
  keep(target.sync());
}

inline Restored restore(Target& target, const std::vector<Item>& items) {
  Restored restored;
  std::vector<Entry> entries;
  for (const Item& item : items) {
    place_one(
        target, item.entry, [&](const Entry&) { return ToldContent(item.content); }, restored);
    entries.push_back(item.entry);
  }
  link_and_finish(target, entries, restored);
  return restored;
}

inline Restored restore(TargetOptions options, const std::vector<Item>& items) {
  Target target = open_target(std::move(options));
  return restore(target, items);
}

// Walks `from` and restores what is below it into `to`.
inline Restored copy(const std::string& from, TargetOptions options) {
  auto walker = Walker::open({.roots = {from}});
  EXPECT_TRUE(walker.ok());
  Target target = open_target(std::move(options));
  Restored restored;
  std::vector<Entry> entries;
  const auto above = static_cast<std::uint32_t>(std::ranges::count(from, '/'));
  Accounts accounts;
  Findings findings;
  while (const auto found = walker->next()) {
    if (found->depth < above) continue;
    auto described = describe(*found, accounts, findings);
    if (!described) continue;
    described->depth -= above;
    const auto content = [&](const Entry& entry) {
      const std::string name(as_text(entry.name));
      const bool file = entry.kind == EntryKind::kFile;
      return FileContent(
          file ? Fd(::openat(found->parent->get(), name.c_str(), O_RDONLY | O_CLOEXEC)) : Fd(),
          entry.size);
    };
    place_one(target, *described, content, restored);
    entries.push_back(std::move(*described));
  }
  link_and_finish(target, entries, restored);
  return restored;
}

inline Texts texts(const Findings& findings) {
  Texts all;
  for (const Problem& problem : findings.problems)
    all.push_back(problem.path + ": " + problem.reason);
  for (const Note& note : findings.notes) all.push_back(note.path + ": " + note.reason);
  return all;
}

inline Texts names_in(const std::string& path) {
  Texts names;
  DIR* const dir = ::opendir(path.c_str());
  if (dir == nullptr) return {"(unreadable)"};
  while (const dirent* entry = ::readdir(dir)) names.emplace_back(entry->d_name);
  ::closedir(dir);
  std::erase(names, ".");
  std::erase(names, "..");
  std::ranges::sort(names);
  return names;
}

inline void expect_equal_trees(const std::string& left, const std::string& right,
                               std::size_t at_least = 1) {
  TreeComparison comparison(is_root() ? Owners::kCompare : Owners::kIgnore);
  comparison.compare(left, right);
  EXPECT_EQ(comparison.differences(), Texts{});
  EXPECT_GE(comparison.entries(), at_least);
}

inline void set_xattr(const std::string& path, const char* name, BytesView value) {
  ASSERT_EQ(::lsetxattr(path.c_str(), name, value.data(), value.size(), 0), 0)
      << path << " " << name << ": " << std::strerror(errno);
}

}  // namespace holdfast::testkit
