// The entries of a manifest.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "archive/guide.h"

namespace holdfast::archive {

constexpr std::size_t kMaxEntry = 16 * 1024 * 1024;  // encoded

// "/a/b" for messages.
std::string path_text(const std::vector<Bytes>& path);

// Checked to be a tree in order. After a failure every call fails.
class EntryReader {
 public:
  EntryReader(ChunkReader& chunks, const VaultAccess& access, Content tree);
  // The manifest of a snapshot with its guide, for seek() and skip_inside(). One that is damaged is
  // not used.
  static Result<EntryReader> of(ChunkReader& chunks, const VaultAccess& access,
                                const Snapshot& snapshot);

  Result<std::optional<Entry>> next();
  // The next one whose path, "/a/b", is wanted. Of the others only place and name are looked at.
  Result<std::optional<Entry>> next_of(const std::function<bool(const std::string&)>& wanted);
  // Of the entry that was given last: its names from the root down, and where it begins.
  const std::vector<Bytes>& path() const { return path_; }
  std::uint64_t offset() const { return entry_at_; }
  // And its bytes, until the next call.
  BytesView raw() const { return BytesView(bytes_).subspan(at_ - size_, size_); }

  // From here on only entries at or after this path are given. Never goes back.
  Result<void> seek(std::vector<Bytes> path);
  // Of the directory that was given last nothing more is given.
  Result<void> skip_inside();

 private:
  struct Head {
    std::uint32_t depth = 0;
    BytesView name;
    EntryKind kind{};
    std::size_t size = 0;  // of the whole entry
  };
  using Wanted = std::function<bool(const std::string&)>;
  static Result<std::optional<Head>> scan(BytesView bytes);

  Result<std::optional<Entry>> give(const Wanted* wanted);
  Result<std::optional<Entry>> decode_next(const Wanted* wanted);
  Result<std::optional<Head>> next_head();
  Result<void> fill(std::size_t wanted);
  Result<void> enter(const Head& head);
  void jump(const GuidePoint& point);
  bool lands(const Result<std::optional<Head>>& found) const;
  void start_again();
  bool is_before_target() const { return !target_.empty() && path_ < target_; }
  void set_text();

  ChunkReader* chunks_;
  const VaultAccess* access_;
  Content tree_;
  Guide guide_;
  ChunkNames names_;
  std::unique_ptr<ExtentReader> extents_;
  std::uint64_t skip_ = 0;  // of the extents to come
  Bytes bytes_;
  std::uint64_t base_ = 0;  // of bytes_ in the manifest
  std::size_t at_ = 0;      // after the entry that was given last
  std::size_t size_ = 0;    // of that entry
  std::uint64_t entry_at_ = 0;
  bool ended_ = false;
  bool in_directory_ = true;  // the entry before this one is a directory, or there is none
  std::vector<Bytes> path_;
  std::string text_;               // of path_, where somebody asked
  std::vector<std::size_t> ends_;  // in text_, of each name
  std::optional<Bytes> landing_;   // the name that the guide promises next
  std::vector<Bytes> target_;
  std::optional<Error> error_;
};

// Reads the chunks of a manifest before they are needed, on a thread of its own, as far as the
// chunk reader keeps them. What fails comes up again where it is needed.
class ReadAhead {
 public:
  ReadAhead(ChunkReader& chunks, const VaultAccess& access, Content tree);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  // How far in the manifest its user is.
  void is_at(std::uint64_t offset) {
    if (const std::uint64_t step = offset / kStep; step != step_.load(std::memory_order_relaxed))
      go_to(step);
  }

 private:
  static constexpr std::uint64_t kStep = 1024 * 1024;
  static constexpr std::uint64_t kSteps = 6;  // ahead
  void go_to(std::uint64_t step);
  void run(Content tree);

  ChunkReader& chunks_;
  const VaultAccess& access_;
  std::atomic<std::uint64_t> step_ = 0;
  std::atomic<bool> stop_ = false;
  std::jthread thread_;
};

}  // namespace holdfast::archive
