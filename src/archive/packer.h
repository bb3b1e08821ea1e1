// Writes chunks into new packs, each chunk once, and content as chunks.
#pragma once

#include <memory>

#include "archive/catalog.h"
#include "archive/chunker.h"
#include "archive/progress.h"

namespace holdfast::archive {

// Where a backup writes down the packs it sends, so that the next one can go on from there after
// this one was killed.
class PackJournal {
 public:
  virtual ~PackJournal() = default;
  // `entry` is an encoded JournalPack and secret: it holds the object's key. Lasts once it returns.
  // Called from several threads.
  virtual Result<void> add(const PackId& object, BytesView entry) = 0;
};
// Before the object is sent.
Result<void> note_pack(PackJournal& journal, const PackId& pack, const PackObject& object,
                       const PackHeader& header);

enum class Storing { kYes, kNo };  // kNo only counts

// Used from one thread, which may use the catalog at the same time; compresses, seals and sends on
// threads of its own. What it was given lies in the store once finish() returns.
class Packer {
 public:
  Packer(PackCache& cache, const VaultAccess& access, Catalog& catalog, PackJournal& journal,
         Progress& progress, Storing storing = Storing::kYes);
  ~Packer();  // without finish(): drops what was not sent
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  // 1 to kMaxChunk bytes. Once a pack could not be sent every call fails.
  Result<ChunkId> put(ChunkType type, BytesView plain);
  // Sends the rest, and adds the new packs to the catalog. Once.
  Result<std::vector<PackId>> finish();

  std::uint64_t new_bytes() const;     // of chunks the vault did not have
  std::uint64_t stored_bytes() const;  // of sealed packs that were sent

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Cuts one content after another into chunks; its buffer is kept from one to the next.
class ContentWriter {
 public:
  ContentWriter(Packer& packer, Chunker& chunker, ChunkType type)
      : packer_(packer), chunker_(chunker), type_(type) {}
  Result<void> write(BytesView data);
  // The same without a copy: what is put at the beginning of room(n), n at most kMaxChunk, is
  // written by wrote(). Nothing else between the two.
  std::span<std::uint8_t> room(std::size_t size);
  Result<void> wrote(std::size_t size);
  Result<void> hole(std::uint64_t length);
  // The next write() begins another content.
  Result<Content> finish();
  // Forgets what was written since the last finish().
  void reset();

 private:
  Result<void> cut_one();
  Result<void> add(const Extent& extent);
  Result<void> add_hole();
  void make_room(std::size_t size);

  Packer& packer_;
  Chunker& chunker_;
  const ChunkType type_;
  Bytes buffer_;
  std::size_t begin_ = 0;  // of what is not cut yet
  std::size_t end_ = 0;
  std::uint64_t hole_ = 0;  // not yet an extent: the next may join it
  std::vector<Extent> extents_;
  std::unique_ptr<ContentWriter> list_;  // takes the extents once there are too many
};

}  // namespace holdfast::archive
