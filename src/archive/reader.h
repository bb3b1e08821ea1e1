// Reads back what a vault holds: chunks by their ids, content in order, the entries of a manifest.
// Nothing is handed out that is not what its id says, whatever the store or a catalog claims.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "archive/catalog.h"
#include "archive/progress.h"
#include "archive/target.h"
#include "crypto/hash.h"

namespace holdfast::archive {

struct ChunkData {
  std::shared_ptr<const Bytes> frame;  // shared with the other chunks in it
  std::size_t offset = 0;
  std::size_t length = 0;
  BytesView view() const { return BytesView(*frame).subspan(offset, length); }
};

// Safe from several threads, each with its own Mac, as long as nobody adds to the catalog. Keeps
// opened packs (64 MiB) and frames (24 MiB) that were used last; a pack is fetched by one thread
// while the others that need it wait.
class ChunkReader {
 public:
  // `progress` counts stored bytes read, where there is one.
  ChunkReader(PackCache& cache, const VaultAccess& access, const Catalog& catalog,
              Progress* progress = nullptr);
  ~ChunkReader();
  ChunkReader(const ChunkReader&) = delete;
  ChunkReader& operator=(const ChunkReader&) = delete;

  // kCorrupt when the vault has no such chunk of that type, or its pack holds other bytes.
  Result<ChunkData> get(const ChunkId& id, ChunkType type, ChunkNames& names);

  // From now on a thread fetches the packs that will_need() names. While it lives nobody may add
  // to the catalog.
  void fetch_ahead();
  // Never waits, and does nothing when enough is on its way or nobody fetches ahead.
  void will_need(const ChunkId& id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The extents of level 0 of a content, one after another; lists are read as they are needed.
class ExtentReader {
 public:
  ExtentReader(ChunkReader& chunks, const VaultAccess& access, Content content);
  // nullopt at the end. No extent is empty, and their sum fits a signed 64-bit number. After a
  // failure every call fails.
  Result<std::optional<Extent>> next();
  // Starts over with another content.
  void begin(Content content);

 private:
  struct List {  // encoded extents of one level, as far as they were read
    Bytes bytes;
    std::size_t at = 0;
  };
  Result<std::optional<Extent>> next_of(std::size_t level);
  Result<void> fill(std::size_t level);

  ChunkReader& chunks_;
  const VaultAccess& access_;
  std::optional<ChunkNames> names_;  // once there is a list to read
  Content content_;
  std::size_t at_ = 0;       // in content_.extents
  std::vector<List> lists_;  // by level, below content_.level
  std::uint64_t total_ = 0;
  std::optional<Error> error_;
};

class ContentReader final : public ContentSource {
 public:
  ContentReader(ChunkReader& chunks, const VaultAccess& access, Content content, ChunkType type);
  Result<std::optional<Piece>> next() override;
  // Starts over with another content, of the same type.
  void begin(Content content);

 private:
  void look_ahead();

  ChunkReader& chunks_;
  ChunkNames names_;
  ExtentReader extents_;
  const ChunkType type_;
  std::deque<Extent> ahead_;
  std::optional<Result<void>> end_;  // what comes after those ahead: the end or a failure
  ChunkData current_;
};

}  // namespace holdfast::archive
