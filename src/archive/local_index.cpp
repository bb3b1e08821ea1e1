#include "archive/local_index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "archive/local_index_format.h"
#include "base/file.h"
#include "base/mutex.h"
#include "crypto/seal.h"

namespace holdfast::archive {

using namespace local_index;

namespace {

constexpr std::uint64_t kResident = 16 * 1024 * 1024;  // rows up to this size are read at once
constexpr std::size_t kBlocksAtOnce = 256;             // blocks in one read, where all are read

Error damaged() { return {Code::kCorrupt, "the local index is damaged"}; }

Bytes key_context(const VaultAccess& access, std::uint32_t epoch) {
  return wire::encode_array("holdfast/v1/local-index-key", access.circle, access.vault, epoch);
}

Result<void> read_at(int fd, std::uint64_t offset, std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t n = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return damaged();
    out = out.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return Ok{};
}

IndexedPack get_pack(const std::uint8_t* from) {
  IndexedPack pack;
  std::copy(from, from + 32, pack.id.bytes.begin());
  pack.offset = get_number(from + 32, 8);
  pack.size = static_cast<std::uint32_t>(get_number(from + 40, 4));
  pack.segment = static_cast<std::uint32_t>(get_number(from + 44, 4));
  return pack;
}

}  // namespace

struct LocalIndex::State {
  State(Fd file, std::string where, const keys::LocalIndexKey& key)
      : fd(std::move(file)), path(std::move(where)), opener(key) {}

  std::uint64_t chunk_blocks() const { return blocks_for(head.chunks, kRowsPerBlock); }
  std::uint64_t pack_blocks() const { return blocks_for(head.packs, kRowsPerBlock); }
  std::uint64_t all_blocks() const {
    return chunk_blocks() + pack_blocks() + blocks_for(chunk_blocks(), kPrefixesPerBlock);
  }

  // Blocks [from, from + out.size() / kPlainBlock) of the file.
  Result<void> read_blocks(std::uint64_t from, std::span<std::uint8_t> out) const {
    const std::size_t count = out.size() / kPlainBlock;
    Bytes sealed(count * kBlock);
    TRY(read_at(fd.get(), head.headers + from * kBlock, sealed));
    const Lock lock(mutex);
    for (std::size_t i = 0; i < count; ++i)
      if (!opener.open(head.packs + from + i, BytesView(sealed).subspan(i * kBlock, kBlock),
                       out.subspan(i * kPlainBlock, kPlainBlock)))
        return damaged();
    return Ok{};
  }
  // `take` gets each item of `size` bytes of `items` that begin at block `from`.
  Result<void> each(std::uint64_t from, std::uint64_t items, std::size_t size, auto&& take) const {
    const std::size_t in_block = kPlainBlock / size;
    const std::uint64_t blocks = blocks_for(items, in_block);
    Bytes plain;
    for (std::uint64_t at = 0; at < blocks; at += kBlocksAtOnce) {
      plain.resize(std::min<std::uint64_t>(kBlocksAtOnce, blocks - at) * kPlainBlock);
      TRY(read_blocks(from + at, plain));
      for (std::size_t b = 0; b < plain.size(); b += kPlainBlock)
        for (std::size_t i = 0; i < in_block && items > 0; ++i, --items)
          TRY(take(plain.data() + b + i * size));
    }
    return Ok{};
  }

  Result<void> read_head(std::uint64_t file_size, std::uint64_t start_end);
  Result<void> read_directory();
  Result<std::optional<ChunkRow>> find_in_block(std::uint64_t block, const ChunkId& id) const;
  Result<ChunkId> first_of(std::uint64_t block) const;
  Result<std::optional<ChunkRow>> find(const ChunkId& id) const;
  // Found out too late to read the segments instead.
  Error put_away() const {
    ::unlink(path.c_str());
    return {Code::kUnavailable,
            "the local index of this vault is damaged and was put away; run the command again"};
  }

  Fd fd;
  std::string path;
  Head head;
  std::vector<std::uint64_t> prefixes;  // of the first row of each block
  Bytes resident;                       // all blocks of chunks, where they are few
  mutable Mutex mutex;
  mutable crypto::NumberedOpener opener HF_GUARDED_BY(mutex);
};

LocalIndex::LocalIndex(std::unique_ptr<State> state) : state_(std::move(state)) {}
LocalIndex::LocalIndex(LocalIndex&&) noexcept = default;
LocalIndex& LocalIndex::operator=(LocalIndex&&) noexcept = default;
LocalIndex::~LocalIndex() = default;

const std::vector<PackId>& LocalIndex::segments() const { return state_->head.segments; }
std::uint32_t LocalIndex::packs() const { return state_->head.packs; }
std::uint64_t LocalIndex::chunks() const { return state_->head.chunks; }

// ---- opening ----

Result<LocalIndex> LocalIndex::open(const std::string& path, const VaultAccess& access) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return Error{Code::kNotFound, "there is no local index"};
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return damaged();
  std::array<std::uint8_t, 4> size{};
  TRY(read_at(fd.get(), 0, size));
  const std::uint64_t start_size = get_number(size.data(), 4);
  if (start_size > kMaxStart) return damaged();
  Bytes bytes(start_size);
  TRY(read_at(fd.get(), 4, bytes));
  const auto start = wire::decode<Start>(bytes);
  if (!start.ok()) return damaged();
  const auto segment_key = access.segment_keys.find(start->epoch);
  if (segment_key == access.segment_keys.end())
    return Error{Code::kNotFound, "the local index is of an epoch whose key is gone"};
  const auto key = crypto::open_key<keys::LocalIndexPurpose>(
      segment_key->second, key_context(access, start->epoch), start->key);
  if (!key.ok()) return damaged();
  auto state = std::make_unique<State>(std::move(fd), path, *key);
  TRY(state->read_head(static_cast<std::uint64_t>(status.st_size), 4 + start_size));
  TRY(state->read_directory());
  return LocalIndex(std::move(state));
}

Result<void> LocalIndex::State::read_head(std::uint64_t file_size, std::uint64_t start_end) {
  if (file_size < start_end + kTrailer) return damaged();
  std::array<std::uint8_t, kTrailer> trailer{};
  TRY(read_at(fd.get(), file_size - kTrailer, trailer));
  const std::uint64_t number = get_number(trailer.data(), 8);
  const std::uint64_t size = get_number(trailer.data() + 8, 4);
  if (size < crypto::kNumberedTag || size > kMaxHead || size > file_size - kTrailer - start_end)
    return damaged();
  Bytes sealed(size);
  const std::uint64_t head_at = file_size - kTrailer - size;
  TRY(read_at(fd.get(), head_at, sealed));
  Bytes plain(size - crypto::kNumberedTag);
  {
    const Lock lock(mutex);
    if (!opener.open(number, sealed, plain)) return damaged();
  }
  head = TRY(wire::decode<Head>(plain));
  // Sealed by this device for this file; the sum shows that the file is the one that was written.
  if (head.headers < start_end || head.headers > head_at || head.chunks > head_at ||
      head_at - head.headers != all_blocks() * kBlock)
    return damaged();
  return Ok{};
}

Result<void> LocalIndex::State::read_directory() {
  prefixes.reserve(chunk_blocks());
  const auto take = [&](const std::uint8_t* at) -> Result<void> {
    prefixes.push_back(get_number(at, 8));
    return Ok{};
  };
  TRY(each(chunk_blocks() + pack_blocks(), chunk_blocks(), 8, take));
  if (!std::ranges::is_sorted(prefixes)) return damaged();
  if (chunk_blocks() * kBlock > kResident) return Ok{};
  Bytes all(chunk_blocks() * kPlainBlock);
  TRY(read_blocks(0, all));
  resident = std::move(all);
  return Ok{};
}

// ---- reading ----

Result<void> LocalIndex::each_pack(
    const std::function<Result<void>(const IndexedPack&)>& take) const {
  return state_->each(state_->chunk_blocks(), state_->head.packs, kRow,
                      [&](const std::uint8_t* at) -> Result<void> { return take(get_pack(at)); });
}

Result<void> LocalIndex::each_chunk(
    const std::function<Result<void>(const ChunkRow&)>& take) const {
  return state_->each(0, state_->head.chunks, kRow,
                      [&](const std::uint8_t* at) -> Result<void> { return take(get_row(at)); });
}

Result<std::optional<ChunkRow>> LocalIndex::State::find_in_block(std::uint64_t block,
                                                                 const ChunkId& id) const {
  std::array<std::uint8_t, kPlainBlock> read;
  const std::uint8_t* rows = read.data();
  if (!resident.empty())
    rows = resident.data() + block * kPlainBlock;
  else
    TRY(read_blocks(block, read));
  const std::uint64_t count =
      std::min<std::uint64_t>(kRowsPerBlock, head.chunks - block * kRowsPerBlock);
  for (std::uint64_t i = 0; i < count; ++i)
    if (std::memcmp(rows + i * kRow, id.bytes.data(), ChunkId::kSize) == 0)
      return std::optional<ChunkRow>(get_row(rows + i * kRow));
  return std::optional<ChunkRow>();
}

Result<ChunkId> LocalIndex::State::first_of(std::uint64_t block) const {
  std::array<std::uint8_t, kPlainBlock> read;
  TRY(read_blocks(block, read));
  return get_row(read.data()).id;
}

// In the block before the first one that begins beyond the id. Ids are hashes, so their prefixes
// tell the block; whoever makes up ids that begin alike costs some reads more, as many as halve the
// blocks that begin so.
Result<std::optional<ChunkRow>> LocalIndex::State::find(const ChunkId& id) const {
  const std::uint64_t prefix = prefix_of(id);
  const auto begin = prefixes.begin();
  auto low = static_cast<std::uint64_t>(std::lower_bound(begin, prefixes.end(), prefix) - begin);
  auto high = static_cast<std::uint64_t>(std::upper_bound(begin, prefixes.end(), prefix) - begin);
  if (low > 0) --low;
  while (high > low + 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (TRY(first_of(middle)) <= id ? low : high) = middle;
  }
  if (high == low) return std::optional<ChunkRow>();
  return find_in_block(low, id);
}

Result<std::optional<ChunkPlace>> LocalIndex::find(const ChunkId& id) const {
  const auto row = state_->find(id);
  if (!row.ok()) return state_->put_away();
  if (!*row) return std::optional<ChunkPlace>();
  if ((*row)->place.pack >= state_->head.packs) return state_->put_away();
  return std::optional<ChunkPlace>((*row)->place);
}

Result<PackHeader> LocalIndex::header(std::uint32_t row) const {
  std::array<std::uint8_t, kPlainBlock> block;
  if (!state_->read_blocks(state_->chunk_blocks() + row / kRowsPerBlock, block).ok())
    return state_->put_away();
  const IndexedPack pack = get_pack(block.data() + row % kRowsPerBlock * kRow);
  auto header = wire::decode<PackHeader>(TRY(encoded_header(row, pack)));
  if (!header.ok()) return state_->put_away();
  return header;
}

Result<Bytes> LocalIndex::encoded_header(std::uint32_t row, const IndexedPack& pack) const {
  if (pack.size < crypto::kNumberedTag || pack.offset > state_->head.headers ||
      pack.size > state_->head.headers - pack.offset)
    return state_->put_away();
  Bytes sealed(pack.size);
  Bytes plain(pack.size - crypto::kNumberedTag);
  if (!read_at(state_->fd.get(), pack.offset, sealed).ok()) return state_->put_away();
  const Lock lock(state_->mutex);
  if (!state_->opener.open(row, sealed, plain)) return state_->put_away();
  return plain;
}

// ---- writing ----

namespace {

class Writer {
 public:
  Writer(Fd fd, const std::string& path, const keys::LocalIndexKey& key)
      : fd_(std::move(fd)), path_(path), sealer_(key) {}

  Result<void> write(const VaultAccess& access, const Bytes& sealed_key,
                     const LocalIndex::Input& input);

 private:
  Result<void> flush(std::size_t above) {
    if (out_.size() <= above) return Ok{};
    TRY(write_all(fd_.get(), out_, path_));
    written_ += out_.size();
    out_.clear();
    return Ok{};
  }
  std::uint64_t at() const { return written_ + out_.size(); }
  std::uint8_t* room(std::size_t size) {
    block_.resize(block_.size() + size);
    return block_.data() + block_.size() - size;
  }
  Result<void> end_block() {
    if (block_.empty()) return Ok{};
    block_.resize(kPlainBlock);
    sealer_.seal(block_, out_);
    block_.clear();
    return flush(1024 * 1024);
  }
  Result<void> put_header(IndexedPack pack, BytesView encoded);
  Result<void> put_headers(const LocalIndex::Input& input);
  Result<void> put_chunk(const ChunkRow& row);
  Result<void> put_chunks(const LocalIndex::Input& input);
  Result<void> put_packs();
  Result<void> put_directory();

  Fd fd_;
  const std::string& path_;
  crypto::NumberedSealer sealer_;
  Bytes out_;
  Bytes block_;
  std::uint64_t written_ = 0;
  std::vector<IndexedPack> packs_;
  std::vector<std::uint64_t> prefixes_;
  Head head_;
};

Result<void> Writer::put_header(IndexedPack pack, BytesView encoded) {
  pack.offset = at();
  sealer_.seal(encoded, out_);
  pack.size = static_cast<std::uint32_t>(at() - pack.offset);
  packs_.push_back(pack);
  return flush(1024 * 1024);
}

Result<void> Writer::put_headers(const LocalIndex::Input& input) {
  std::uint32_t row = 0;
  const auto keep = [&](const IndexedPack& pack) -> Result<void> {
    if (pack.segment >= input.base_segment.size()) return damaged();
    return put_header({pack.id, 0, 0, input.base_segment[pack.segment]},
                      TRY(input.base->encoded_header(row++, pack)));
  };
  if (input.base != nullptr) TRY(input.base->each_pack(keep));
  for (const LocalIndex::NewPack& pack : input.packs)
    TRY(put_header({pack.id, 0, 0, pack.segment}, wire::encode(*pack.header)));
  return Ok{};
}

Result<void> Writer::put_chunk(const ChunkRow& row) {
  if (row.place.pack >= packs_.size()) return damaged();
  if (block_.empty()) prefixes_.push_back(prefix_of(row.id));
  put_row(room(kRow), row);
  ++head_.chunks;
  return block_.size() + kRow > kPlainBlock ? end_block() : Result<void>(Ok{});
}

Result<void> Writer::put_chunks(const LocalIndex::Input& input) {
  auto next = input.chunks.begin();
  const auto merge = [&](const ChunkRow& old) -> Result<void> {
    for (; next != input.chunks.end() && next->id < old.id; ++next) TRY(put_chunk(*next));
    if (next == input.chunks.end() || next->id != old.id) return put_chunk(old);
    const ChunkRow& fresh = *next++;
    if (old.place.pack >= packs_.size()) return damaged();
    const bool later = packs_[fresh.place.pack].segment >= packs_[old.place.pack].segment;
    return put_chunk(later ? fresh : old);
  };
  if (input.base != nullptr) TRY(input.base->each_chunk(merge));
  for (; next != input.chunks.end(); ++next) TRY(put_chunk(*next));
  return end_block();
}

Result<void> Writer::put_packs() {
  for (const IndexedPack& pack : packs_) {
    std::uint8_t* const to = room(kRow);
    std::copy(pack.id.bytes.begin(), pack.id.bytes.end(), to);
    put_number(to + 32, pack.offset, 8);
    put_number(to + 40, pack.size, 4);
    put_number(to + 44, pack.segment, 4);
    if (block_.size() + kRow > kPlainBlock) TRY(end_block());
  }
  return end_block();
}

Result<void> Writer::put_directory() {
  for (const std::uint64_t prefix : prefixes_) {
    put_number(room(8), prefix, 8);
    if (block_.size() + 8 > kPlainBlock) TRY(end_block());
  }
  return end_block();
}

Result<void> Writer::write(const VaultAccess& access, const Bytes& sealed_key,
                           const LocalIndex::Input& input) {
  Start start;
  start.epoch = access.epoch;
  start.key = sealed_key;
  const Bytes encoded = wire::encode(start);
  out_.resize(4);
  put_number(out_.data(), encoded.size(), 4);
  append(out_, encoded);
  TRY(put_headers(input));
  head_.headers = at();
  head_.packs = static_cast<std::uint32_t>(packs_.size());
  head_.segments = input.segments;
  TRY(put_chunks(input));
  TRY(put_packs());
  TRY(put_directory());
  const std::uint64_t number = sealer_.next();
  const std::uint64_t head_at = at();
  sealer_.seal(wire::encode(head_), out_);
  std::array<std::uint8_t, kTrailer> trailer{};
  put_number(trailer.data(), number, 8);
  put_number(trailer.data() + 8, at() - head_at, 4);
  append(out_, trailer);
  return flush(0);
}

}  // namespace

Result<LocalIndex> LocalIndex::write(const std::string& path, const VaultAccess& access,
                                     const Input& input) {
  const auto segment_key = access.segment_keys.find(access.epoch);
  if (segment_key == access.segment_keys.end() || input.segments.size() > kMaxIndexSegments)
    return Error{Code::kInvalid, "the local index cannot be sealed"};
  const std::string temporary = path + ".new";
  Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return io_error("write", temporary, errno);
  const auto key = keys::LocalIndexKey::random();
  const Bytes sealed_key =
      crypto::seal_key(segment_key->second, key_context(access, access.epoch), key);
  auto written = Writer(std::move(fd), temporary, key).write(access, sealed_key, input);
  // Not flushed to the disk: what a power cut leaves half written does not open.
  if (written.ok() && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = io_error("rename to", path, errno);
  if (!written.ok()) {
    ::unlink(temporary.c_str());
    return std::move(written).error();
  }
  return open(path, access);
}

}  // namespace holdfast::archive
