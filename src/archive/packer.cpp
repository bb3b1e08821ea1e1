#include "archive/packer.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <unordered_set>

#include "base/queue.h"
#include "crypto/hash.h"

namespace holdfast::archive {
namespace {

// Two compress while the caller reads and names; two send, so that a slow store or a sync holds up
// nobody but the next pack. What waits between them is bounded: 4 frames and no pack.
constexpr std::size_t kCompressors = 2;
constexpr std::size_t kSenders = 2;
constexpr std::size_t kQueued = 4;
constexpr std::size_t kSpareBuffers = kQueued + kCompressors + 1;
// A header has about 40 bytes for each chunk: these keep it, and an index of it, far below limits.
constexpr std::size_t kFrameChunks = 8192;
constexpr std::size_t kPackChunks = 65536;
constexpr std::size_t kChunkHeader = 48;
// Full of frames, with the last of them above the target, and the header: not touched, not used.
constexpr std::size_t kPackRoom = kPackTarget + kFrameTarget + std::size_t{1024} * 1024;
constexpr std::size_t kBufferSize = 2 * std::size_t{kMaxChunk};

struct RawFrame {
  PackKind kind{};
  FrameInfo info;
  Bytes raw;
};

// Buffers of frames that were compressed, for those to come: fresh ones cost a page fault for each
// page.
class SpareBuffers {
 public:
  Bytes take() {
    const Lock lock(mutex_);
    if (spare_.empty()) return {};
    Bytes one = std::move(spare_.back());
    spare_.pop_back();
    return one;
  }
  void give(Bytes one) {
    if (one.capacity() > 2 * std::size_t{kFrameTarget}) return;
    one.clear();
    const Lock lock(mutex_);
    if (spare_.size() < kSpareBuffers) spare_.push_back(std::move(one));
  }

 private:
  Mutex mutex_;
  std::vector<Bytes> spare_ HF_GUARDED_BY(mutex_);
};

struct OpenBuilder {
  explicit OpenBuilder(PackKind kind) : builder(kind) { builder.reserve(kPackRoom); }
  PackBuilder builder;
  std::size_t chunks = 0;

  bool full() const {
    return builder.size() + chunks * kChunkHeader >= kPackTarget || chunks >= kPackChunks;
  }
};

struct SentPack {
  PackId id;
  PackObject object;
  PackHeader header;
};

PackKind kind_for(ChunkType type) {
  return type == ChunkType::kData ? PackKind::kData : PackKind::kMeta;
}

}  // namespace

Result<void> note_pack(PackJournal& journal, const PackId& pack, const PackObject& object,
                       const PackHeader& header) {
  JournalPack note{key_entry(pack, object), header};
  const crypto::WipedBytes plain(wire::encode(note));
  crypto::wipe(note.entry.key);
  return journal.add(object.name, plain.view());
}

struct Packer::State {
  State(PackCache& pack_cache, const VaultAccess& vault_access, Catalog& vault_catalog,
        PackJournal& pack_journal, Progress& counters, Storing store)
      : cache(pack_cache),
        access(vault_access),
        catalog(vault_catalog),
        journal(pack_journal),
        progress(counters),
        storing(store),
        mac(*vault_access.naming) {
    // Chunks of one file are dealt over two packs at random, so that a pack's size does not tell
    // which files it holds.
    data.emplace_back(PackKind::kData);
    data.emplace_back(PackKind::kData);
    meta.emplace_back(PackKind::kMeta);
    if (storing == Storing::kNo) return;
    for (std::size_t i = 0; i < kCompressors; ++i)
      compressors.emplace_back([this] { compress_all(); });
    for (std::size_t i = 0; i < kSenders; ++i) senders.emplace_back([this] { send_all(); });
  }

  void compress_all();
  void send_all();
  std::optional<PackBuilder> add(RawFrame& frame, BytesView compressed);
  SealedPack seal(PackBuilder builder);
  Result<void> send(SealedPack pack);
  void send_rest();
  void finish_threads();
  void fail(const Error& error);
  std::optional<Error> failure();
  Result<void> submit(RawFrame& frame);

  PackCache& cache;
  const VaultAccess& access;
  Catalog& catalog;
  PackJournal& journal;
  Progress& progress;
  const Storing storing;

  // Of the caller's thread.
  crypto::Mac mac;
  std::unordered_set<ChunkId, IdHash> pending;
  RawFrame open_data{PackKind::kData, {}, {}};
  RawFrame open_meta{PackKind::kMeta, {}, {}};
  std::uint64_t new_bytes = 0;

  Mutex mutex;
  std::vector<OpenBuilder> data HF_GUARDED_BY(mutex);
  std::vector<OpenBuilder> meta HF_GUARDED_BY(mutex);
  std::vector<SentPack> sent HF_GUARDED_BY(mutex);
  std::uint64_t stored_bytes HF_GUARDED_BY(mutex) = 0;
  std::optional<Error> error HF_GUARDED_BY(mutex);

  SpareBuffers spare;
  Mutex sealing;  // by one at a time: a pack being sealed is in memory twice
  BoundedQueue<RawFrame> frames{kQueued};
  BoundedQueue<SealedPack> packs{1};
  std::vector<std::jthread> compressors;
  std::vector<std::jthread> senders;
};

void Packer::State::fail(const Error& first) {
  const Lock lock(mutex);
  if (!error) error = first;
}

std::optional<Error> Packer::State::failure() {
  const Lock lock(mutex);
  return error;
}

void Packer::State::compress_all() {
  Compressor compressor;
  while (auto frame = frames.pop()) {
    if (failure()) continue;  // drain, so that nobody waits for room
    auto full = add(*frame, compressor.compress(frame->raw));
    spare.give(std::move(frame->raw));
    if (full) packs.push(seal(std::move(*full)));
  }
}

void Packer::State::send_all() {
  while (auto pack = packs.pop()) {
    if (failure()) continue;
    if (auto done = send(std::move(*pack)); !done.ok()) fail(done.error());
  }
}

// Gives the pack that is full with it.
std::optional<PackBuilder> Packer::State::add(RawFrame& frame, BytesView compressed) {
  const Lock lock(mutex);
  std::vector<OpenBuilder>& builders = frame.kind == PackKind::kData ? data : meta;
  std::uint8_t die = 0;
  crypto::random_fill({&die, 1});
  OpenBuilder& open = builders[die % builders.size()];
  open.chunks += frame.info.chunks.size();
  open.builder.add(std::move(frame.info), compressed);
  if (!open.full()) return std::nullopt;
  return std::exchange(open, OpenBuilder(frame.kind)).builder;
}

SealedPack Packer::State::seal(PackBuilder builder) {
  const Lock lock(sealing);
  return std::move(builder).seal(access.circle, access.vault);
}

Result<void> Packer::State::send(SealedPack pack) {
  const PackKind kind = pack.header.kind;
  PackObject object = object_of(pack, access.epoch);
  TRY(note_pack(journal, pack.id, object, pack.header));
  TRY(cache.session().put_pack(pack.id, pack.bytes));
  if (kind == PackKind::kMeta) cache.keep(pack.id, pack.bytes);
  progress.stored_bytes += pack.bytes.size();
  const Lock lock(mutex);
  stored_bytes += pack.bytes.size();
  sent.push_back({pack.id, std::move(object), std::move(pack.header)});
  return Ok{};
}

// Compresses and seals what is left.
void Packer::State::send_rest() {
  if (storing == Storing::kNo) return;
  frames.close();
  compressors.clear();  // joins
  std::vector<OpenBuilder> rest;
  {
    const Lock lock(mutex);
    std::ranges::move(std::exchange(data, {}), std::back_inserter(rest));
    std::ranges::move(std::exchange(meta, {}), std::back_inserter(rest));
  }
  for (OpenBuilder& open : rest)
    if (!open.builder.empty()) packs.push(seal(std::move(open.builder)));
}

// What is queued is still compressed and sent.
void Packer::State::finish_threads() {
  frames.close();
  compressors.clear();  // joins
  packs.close();
  senders.clear();
}

Result<void> Packer::State::submit(RawFrame& frame) {
  if (frame.raw.empty()) return Ok{};
  frame.info.raw = static_cast<std::uint32_t>(frame.raw.size());
  RawFrame full = std::exchange(frame, RawFrame{frame.kind, {}, spare.take()});
  if (storing == Storing::kYes)
    HF_CHECK(frames.push(std::move(full)));
  else
    spare.give(std::move(full.raw));
  return Ok{};
}

Packer::Packer(PackCache& cache, const VaultAccess& access, Catalog& catalog, PackJournal& journal,
               Progress& progress, Storing storing)
    : state_(std::make_unique<State>(cache, access, catalog, journal, progress, storing)) {}

Packer::~Packer() {
  state_->fail({Code::kInvalid, "the backup was given up"});
  state_->finish_threads();
}

Result<ChunkId> Packer::put(ChunkType type, BytesView plain) {
  HF_CHECK(!plain.empty() && plain.size() <= kMaxChunk);
  if (auto error = state_->failure()) return *std::move(error);
  const ChunkId id(state_->mac.compute(static_cast<std::uint8_t>(type), plain).bytes);
  if (state_->catalog.find(id) || !state_->pending.insert(id).second) return id;
  state_->new_bytes += plain.size();
  const auto length = static_cast<std::uint32_t>(plain.size());
  const bool names = kind_for(type) == PackKind::kMeta;
  RawFrame& open = names ? state_->open_meta : state_->open_data;
  if (open.raw.size() + length > (names ? kNamesFrame : kFrameTarget) ||
      open.info.chunks.size() >= kFrameChunks)
    TRY(state_->submit(open));
  append(open.raw, plain);
  open.info.chunks.push_back({id, type, length});
  return id;
}

Result<std::vector<PackId>> Packer::finish() {
  TRY(state_->submit(state_->open_data));
  TRY(state_->submit(state_->open_meta));
  state_->send_rest();
  state_->finish_threads();
  const Lock lock(state_->mutex);
  if (state_->error) return *state_->error;
  std::vector<PackId> ids;
  for (SentPack& pack : state_->sent) {
    ids.push_back(pack.id);
    state_->catalog.add(pack.id, std::move(pack.object), std::move(pack.header));
  }
  state_->sent.clear();
  return ids;
}

std::uint64_t Packer::new_bytes() const { return state_->new_bytes; }
std::uint64_t Packer::stored_bytes() const {
  const Lock lock(state_->mutex);
  return state_->stored_bytes;
}

// ---- content ----

void ContentWriter::make_room(std::size_t size) {
  if (buffer_.size() - end_ >= size) return;
  if (end_ - begin_ + size > buffer_.size())
    buffer_.resize(std::clamp<std::size_t>(2 * (end_ - begin_ + size), 64 * 1024, kBufferSize));
  if (buffer_.size() - end_ >= size) return;
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

std::span<std::uint8_t> ContentWriter::room(std::size_t size) {
  HF_CHECK(size <= kMaxChunk);
  make_room(size);
  return std::span(buffer_).subspan(end_, size);
}

Result<void> ContentWriter::wrote(std::size_t size) {
  if (size > 0) TRY(add_hole());
  end_ += size;
  while (end_ - begin_ >= kMaxChunk) TRY(cut_one());
  return Ok{};
}

Result<void> ContentWriter::write(BytesView data) {
  while (!data.empty()) {
    const BytesView part = data.first(std::min<std::size_t>(data.size(), kMaxChunk));
    std::ranges::copy(part, room(part.size()).begin());
    TRY(wrote(part.size()));
    data = data.subspan(part.size());
  }
  return Ok{};
}

Result<void> ContentWriter::cut_one() {
  const BytesView rest = BytesView(buffer_).subspan(begin_, end_ - begin_);
  const BytesView chunk = rest.first(chunker_.cut(rest));
  const ChunkId id = TRY(packer_.put(type_, chunk));
  begin_ += chunk.size();
  return add({id, chunk.size()});
}

Result<void> ContentWriter::hole(std::uint64_t length) {
  while (begin_ < end_) TRY(cut_one());
  hole_ += length;
  return Ok{};
}

Result<void> ContentWriter::add_hole() {
  if (hole_ == 0) return Ok{};
  return add({std::nullopt, std::exchange(hole_, 0)});
}

Result<void> ContentWriter::add(const Extent& extent) {
  if (list_) return list_->write(wire::encode(extent));
  extents_.push_back(extent);
  if (extents_.size() <= kMaxExtents) return Ok{};
  list_ = std::make_unique<ContentWriter>(packer_, chunker_, ChunkType::kList);
  for (const Extent& known : extents_) TRY(list_->write(wire::encode(known)));
  extents_.clear();
  return Ok{};
}

Result<Content> ContentWriter::finish() {
  while (begin_ < end_) TRY(cut_one());
  TRY(add_hole());
  Content content;
  if (list_) {
    content = TRY(list_->finish());
    ++content.level;
  } else {
    content.extents = std::move(extents_);
  }
  reset();
  return content;
}

void ContentWriter::reset() {
  begin_ = end_ = 0;
  hole_ = 0;
  extents_.clear();
  list_.reset();
}

}  // namespace holdfast::archive
