// The index of a vault as one file in the device's own cache, so that a large one need not be
// decoded into memory by every command: chunk ids in order, and the headers of packs. Made from
// index segments, and made again from them when it is gone or damaged. Read by pread(2), so that
// it costs page cache and no memory of the process; sealed, because chunk ids and sizes tell
// whoever reads the disk which known files are there. It holds no key of a pack.
// docs/formats/archive.md#the-local-index
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "archive/access.h"
#include "archive/chunk_table.h"
#include "base/result.h"

namespace holdfast::archive {

struct IndexedPack {
  PackId id;
  std::uint64_t offset = 0;  // of its header in the file
  std::uint32_t size = 0;
  std::uint32_t segment = 0;  // number in segments() of the one that said it
};

class LocalIndex {
 public:
  // kNotFound: there is none that this device can use. kCorrupt: it is damaged.
  static Result<LocalIndex> open(const std::string& path, const VaultAccess& access);
  LocalIndex(LocalIndex&&) noexcept;
  LocalIndex& operator=(LocalIndex&&) noexcept;
  ~LocalIndex();

  const std::vector<PackId>& segments() const;
  std::uint32_t packs() const;
  std::uint64_t chunks() const;
  // In the order of their rows, which number them.
  Result<void> each_pack(const std::function<Result<void>(const IndexedPack&)>& take) const;
  // In the order of their ids.
  Result<void> each_chunk(const std::function<Result<void>(const ChunkRow&)>& take) const;

  // `place.pack` is the row of a pack. kUnavailable: the file is damaged, which was not seen when
  // it was opened; it is put away, and the next command makes it again. Both are safe from several
  // threads.
  Result<std::optional<ChunkPlace>> find(const ChunkId& id) const;
  Result<PackHeader> header(std::uint32_t row) const;
  // Likewise, encoded, of a pack that each_pack() gave.
  Result<Bytes> encoded_header(std::uint32_t row, const IndexedPack& pack) const;

  struct NewPack {
    PackId id;
    const PackHeader* header = nullptr;
    std::uint32_t segment = 0;  // in Input::segments
  };
  struct Input {
    const LocalIndex* base = nullptr;
    std::vector<PackId> segments;             // in the order in which the vault lists them
    std::vector<std::uint32_t> base_segment;  // the place there of each of the base's
    std::vector<NewPack> packs;               // rows after those of the base
    std::vector<ChunkRow> chunks;             // sorted by id; `place.pack` is a row in the new file
  };
  // Of several places of a chunk the one of the later segment counts. Replaces the file.
  static Result<LocalIndex> write(const std::string& path, const VaultAccess& access,
                                  const Input& input);

 private:
  struct State;
  explicit LocalIndex(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::archive
