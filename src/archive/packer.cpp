#include "archive/packer.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <unordered_set>

#include "base/queue.h"
#include "crypto/hash.h"

namespace holdfast::archive {
namespace {

constexpr std::size_t kWorkers = 2;
constexpr std::size_t kQueued = 4;  // frames that wait for a worker
// A header has about 40 bytes for each chunk: these keep it, and an index of it, far below limits.
constexpr std::size_t kFrameChunks = 8192;
constexpr std::size_t kPackChunks = 65536;
constexpr std::size_t kChunkHeader = 48;
constexpr std::size_t kBufferSize = 2 * std::size_t{kMaxChunk};

struct RawFrame {
  PackKind kind{};
  FrameInfo info;
  Bytes raw;
};

struct OpenBuilder {
  explicit OpenBuilder(PackKind kind) : builder(kind) {}
  PackBuilder builder;
  std::size_t chunks = 0;

  bool full() const {
    return builder.size() + chunks * kChunkHeader >= kPackTarget || chunks >= kPackChunks;
  }
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
    for (std::size_t i = 0; i < kWorkers; ++i) workers.emplace_back([this] { work(); });
  }

  void work();
  Result<void> add(const RawFrame& frame, Bytes compressed);
  Result<void> send(PackBuilder builder);
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
  std::vector<PackEntry> sent HF_GUARDED_BY(mutex);
  std::uint64_t stored_bytes HF_GUARDED_BY(mutex) = 0;
  std::optional<Error> error HF_GUARDED_BY(mutex);

  BoundedQueue<RawFrame> queue{kQueued};
  std::vector<std::jthread> workers;
};

void Packer::State::fail(const Error& first) {
  const Lock lock(mutex);
  if (!error) error = first;
}

std::optional<Error> Packer::State::failure() {
  const Lock lock(mutex);
  return error;
}

void Packer::State::work() {
  Compressor compressor;
  while (auto frame = queue.pop()) {
    if (failure()) continue;  // drain, so that nobody waits for room
    auto done = add(*frame, compressor.compress(frame->raw));
    if (!done.ok()) fail(done.error());
  }
}

Result<void> Packer::State::add(const RawFrame& frame, Bytes compressed) {
  std::optional<PackBuilder> full;
  {
    const Lock lock(mutex);
    std::vector<OpenBuilder>& builders = frame.kind == PackKind::kData ? data : meta;
    std::uint8_t die = 0;
    crypto::random_fill({&die, 1});
    OpenBuilder& open = builders[die % builders.size()];
    open.chunks += frame.info.chunks.size();
    open.builder.add(frame.info, compressed);
    if (open.full()) full = std::exchange(open, OpenBuilder(frame.kind)).builder;
  }
  if (full) TRY(send(std::move(*full)));
  return Ok{};
}

Result<void> Packer::State::send(PackBuilder builder) {
  SealedPack pack = std::move(builder).seal(access.circle, access.vault);
  const PackKind kind = pack.header.kind;
  PackObject object = object_of(pack, access.epoch);
  PackEntry entry{pack.id, {}, std::move(pack.header)};
  entry.objects.push_back(std::move(object));
  TRY(note_pack(journal, pack.id, entry.objects.front(), *entry.header));
  TRY(cache.session().put_pack(entry.id, pack.bytes));
  if (kind == PackKind::kMeta) cache.keep(entry.id, pack.bytes);
  progress.stored_bytes += pack.bytes.size();
  const Lock lock(mutex);
  stored_bytes += pack.bytes.size();
  sent.push_back(std::move(entry));
  return Ok{};
}

Result<void> Packer::State::submit(RawFrame& frame) {
  if (frame.raw.empty()) return Ok{};
  frame.info.raw = static_cast<std::uint32_t>(frame.raw.size());
  RawFrame full = std::exchange(frame, RawFrame{frame.kind, {}, {}});
  if (storing == Storing::kYes) HF_CHECK(queue.push(std::move(full)));
  return Ok{};
}

Packer::Packer(PackCache& cache, const VaultAccess& access, Catalog& catalog, PackJournal& journal,
               Progress& progress, Storing storing)
    : state_(std::make_unique<State>(cache, access, catalog, journal, progress, storing)) {}

Packer::~Packer() {
  state_->fail({Code::kInvalid, "the backup was given up"});
  state_->queue.close();
}

Result<ChunkId> Packer::put(ChunkType type, BytesView plain) {
  HF_CHECK(!plain.empty() && plain.size() <= kMaxChunk);
  if (auto error = state_->failure()) return *std::move(error);
  const ChunkId id(state_->mac.compute(static_cast<std::uint8_t>(type), plain).bytes);
  if (state_->catalog.find(id) != nullptr || !state_->pending.insert(id).second) return id;
  state_->new_bytes += plain.size();
  const auto length = static_cast<std::uint32_t>(plain.size());
  RawFrame& open = kind_for(type) == PackKind::kData ? state_->open_data : state_->open_meta;
  if (length >= kMinChunk) {
    RawFrame own{open.kind, {}, to_bytes(plain)};
    own.info.chunks.push_back({id, type, length});
    TRY(state_->submit(own));
    return id;
  }
  if (open.raw.size() + length > kFrameTarget || open.info.chunks.size() >= kFrameChunks)
    TRY(state_->submit(open));
  append(open.raw, plain);
  open.info.chunks.push_back({id, type, length});
  return id;
}

Result<std::vector<PackId>> Packer::finish() {
  TRY(state_->submit(state_->open_data));
  TRY(state_->submit(state_->open_meta));
  state_->queue.close();
  state_->workers.clear();  // joins
  std::vector<OpenBuilder> rest;
  {
    const Lock lock(state_->mutex);
    if (state_->error) return *state_->error;
    for (OpenBuilder& open : state_->data) rest.push_back(std::move(open));
    for (OpenBuilder& open : state_->meta) rest.push_back(std::move(open));
    state_->data.clear();
    state_->meta.clear();
  }
  for (OpenBuilder& open : rest)
    if (!open.builder.empty()) TRY(state_->send(std::move(open.builder)));
  const Lock lock(state_->mutex);
  std::vector<PackId> ids;
  for (PackEntry& entry : state_->sent) {
    ids.push_back(entry.id);
    state_->catalog.add(entry.id, std::move(entry.objects.front()), std::move(entry.header));
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

Result<void> ContentWriter::write(BytesView data) {
  if (!data.empty()) TRY(add_hole());
  while (!data.empty()) {
    const std::size_t n = std::min<std::size_t>(data.size(), kMaxChunk);
    make_room(n);
    std::memcpy(buffer_.data() + end_, data.data(), n);
    end_ += n;
    data = data.subspan(n);
    while (end_ - begin_ >= kMaxChunk) TRY(cut_one());
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
