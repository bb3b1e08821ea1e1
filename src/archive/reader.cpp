#include "archive/reader.h"

#include <list>
#include <map>
#include <thread>

#include "base/mutex.h"

namespace holdfast::archive {
namespace {

constexpr std::size_t kPackBudget = 64 * 1024 * 1024;
constexpr std::size_t kFrameBudget = 24 * 1024 * 1024;
constexpr std::size_t kAhead = 16;       // extents of one content
constexpr std::size_t kWantedPacks = 1;  // besides the one that is being fetched
constexpr std::size_t kMaxLevel = 4;
constexpr std::size_t kExtentRoom = 64;  // an encoded extent is never longer
constexpr std::uint64_t kMaxLength = INT64_MAX;

// Values by key, those used last, up to a budget of bytes. Whoever comes first makes a value while
// the others that want it wait; what is damaged stays known as damaged.
template <class Key, class Value>
class Recent {
 public:
  explicit Recent(std::size_t budget) : budget_(budget) {}

  Result<std::shared_ptr<const Value>> get(const Key& key, auto&& make, auto&& size_of) {
    const std::shared_ptr<Slot> slot = touch(key);
    const Lock lock(slot->mutex);
    if (slot->value) return slot->value;
    if (slot->error) return *slot->error;
    Result<Value> made = make();
    if (!made.ok()) {
      if (made.error().code == Code::kCorrupt) slot->error = made.error();
      return std::move(made).error();
    }
    slot->value = std::make_shared<const Value>(std::move(made).value());
    charge(key, *slot, size_of(*slot->value));
    return slot->value;
  }

  // Or on its way.
  bool has(const Key& key) {
    const Lock lock(mutex_);
    return places_.contains(key);
  }

 private:
  struct Slot {
    Mutex mutex;
    std::shared_ptr<const Value> value HF_GUARDED_BY(mutex);
    std::optional<Error> error HF_GUARDED_BY(mutex);
  };
  struct Place {
    std::shared_ptr<Slot> slot;
    std::size_t size = 0;
    typename std::list<Key>::iterator order;
  };

  std::shared_ptr<Slot> touch(const Key& key) {
    const Lock lock(mutex_);
    const auto [it, fresh] = places_.try_emplace(key);
    if (fresh) {
      order_.push_front(key);
      it->second = {std::make_shared<Slot>(), 0, order_.begin()};
    } else {
      order_.splice(order_.begin(), order_, it->second.order);
    }
    return it->second.slot;
  }

  void charge(const Key& key, const Slot& slot, std::size_t size) {
    const Lock lock(mutex_);
    const auto it = places_.find(key);
    if (it == places_.end() || it->second.slot.get() != &slot) return;  // dropped meanwhile
    it->second.size = size;
    used_ += size;
    while (used_ > budget_ && order_.size() > 1 && order_.back() != key) {
      const auto oldest = places_.find(order_.back());
      used_ -= oldest->second.size;
      places_.erase(oldest);
      order_.pop_back();
    }
  }

  const std::size_t budget_;
  Mutex mutex_;
  std::map<Key, Place> places_ HF_GUARDED_BY(mutex_);
  std::list<Key> order_ HF_GUARDED_BY(mutex_);  // used last comes first
  std::size_t used_ HF_GUARDED_BY(mutex_) = 0;
};

using FrameKey = std::pair<std::uint32_t, std::uint32_t>;  // pack, frame

}  // namespace

// ---- chunks ----

struct ChunkReader::State {
  State(PackCache& cache_, const VaultAccess& access_, const Catalog& catalog_, Progress* progress_)
      : cache(cache_), access(access_), catalog(catalog_), progress(progress_) {}

  PackCache& cache;
  const VaultAccess& access;
  const Catalog& catalog;
  Progress* progress;
  Recent<std::uint32_t, OpenPack> packs{kPackBudget};
  Recent<FrameKey, Bytes> frames{kFrameBudget};

  Mutex opening;
  Mutex mutex;
  Condition changed;
  std::deque<std::uint32_t> wanted HF_GUARDED_BY(mutex);
  bool closed HF_GUARDED_BY(mutex) = true;
  std::jthread fetcher;

  ~State() {
    const Lock lock(mutex);
    closed = true;
    changed.notify_all();
  }

  Result<OpenPack> open_pack(std::uint32_t number) {
    const PackEntry& entry = catalog.pack_at(number);
    // Names are read by every command, so their packs are worth keeping on this machine.
    const Fetch fetch = entry.may_be(PackKind::kMeta) ? Fetch::kKept : Fetch::kSealed;
    auto pack = archive::open_pack(cache, access, entry, fetch, progress);
    if (!pack.ok() && pack.error().code == Code::kNotFound)
      return Error{Code::kCorrupt, pack.error().message};
    return pack;
  }

  // One pack at a time: until it is open it takes twice its memory.
  Result<std::shared_ptr<const OpenPack>> pack(std::uint32_t number) {
    return packs.get(
        number,
        [&] {
          const Lock lock(opening);
          return open_pack(number);
        },
        [](const OpenPack& open) { return open.memory(); });
  }

  Result<Bytes> read_frame(const FrameKey& key) {
    const auto open = TRY(pack(key.first));
    return open->frame(key.second);
  }

  std::optional<std::uint32_t> next_wanted() {
    const Lock lock(mutex);
    while (wanted.empty() && !closed) changed.wait(mutex);
    if (closed) return std::nullopt;
    const std::uint32_t number = wanted.front();
    wanted.pop_front();
    return number;
  }

  // A failure comes up again where the pack is read.
  void fetch() {
    while (const auto number = next_wanted()) (void)pack(*number);
  }
};

ChunkReader::ChunkReader(PackCache& cache, const VaultAccess& access, const Catalog& catalog,
                         Progress* progress)
    : state_(new State(cache, access, catalog, progress)) {}
ChunkReader::~ChunkReader() = default;

void ChunkReader::fetch_ahead() {
  {
    const Lock lock(state_->mutex);
    if (!state_->closed) return;
    state_->closed = false;
  }
  state_->fetcher = std::jthread([state = state_.get()] { state->fetch(); });
}

void ChunkReader::will_need(const ChunkId& id) {
  const auto place = state_->catalog.find(id);
  if (!place) return;
  const std::uint32_t number = place->pack;
  const Lock lock(state_->mutex);
  if (state_->closed || state_->wanted.size() >= kWantedPacks || state_->packs.has(number) ||
      std::ranges::find(state_->wanted, number) != state_->wanted.end())
    return;
  state_->wanted.push_back(number);
  state_->changed.notify_one();
}

Result<ChunkData> ChunkReader::get(const ChunkId& id, ChunkType type, ChunkNames& names) {
  const auto place = state_->catalog.find(id);
  TRY(state_->catalog.check_local_index());
  if (!place) return Error{Code::kCorrupt, "a part of it is missing from the vault"};
  const PackId& pack = state_->catalog.pack_at(place->pack).id;
  const auto wrong = [&] {
    return Error{Code::kCorrupt, "pack " + short_name(pack) + " does not hold what the index says"};
  };
  if (place->type != type) return wrong();
  const FrameKey key{place->pack, place->frame};
  auto frame = TRY(state_->frames.get(
      key, [&] { return state_->read_frame(key); },
      [](const Bytes& bytes) { return bytes.size(); }));
  // The index may be another device's, and that device compromised.
  if (place->offset > frame->size() || place->length > frame->size() - place->offset)
    return wrong();
  ChunkData chunk{std::move(frame), place->offset, place->length};
  if (!names.fits(id, static_cast<std::uint8_t>(type), chunk.view())) return wrong();
  return chunk;
}

// ---- content ----

ExtentReader::ExtentReader(ChunkReader& chunks, const VaultAccess& access, Content content)
    : chunks_(chunks), access_(access) {
  begin(std::move(content));
}

void ExtentReader::begin(Content content) {
  content_ = std::move(content);
  at_ = 0;
  total_ = 0;
  lists_.clear();
  error_ = std::nullopt;
  if (content_.level > kMaxLevel)
    error_ = Error{Code::kCorrupt, "a list of chunks is nested too deep"};
  else
    lists_.resize(content_.level);
}

Result<std::optional<Extent>> ExtentReader::next() {
  if (error_) return *error_;
  auto extent = next_of(0);
  if (extent.ok() && *extent) {
    if ((*extent)->length == 0 || (*extent)->length > kMaxLength - total_)
      extent = Error{Code::kCorrupt, "a list of chunks has a part of an impossible length"};
    else
      total_ += (*extent)->length;
  }
  if (!extent.ok()) error_ = extent.error();
  return extent;
}

Result<std::optional<Extent>> ExtentReader::next_of(std::size_t level) {
  if (level == content_.level) {
    if (at_ == content_.extents.size()) return std::optional<Extent>{};
    return std::optional<Extent>{content_.extents[at_++]};
  }
  TRY(fill(level));
  List& list = lists_[level];
  const BytesView rest = BytesView(list.bytes).subspan(list.at);
  if (rest.empty()) return std::optional<Extent>{};
  wire::Decoder from(rest);
  Extent extent;
  TRY(wire::get(from, extent));
  list.at += rest.size() - from.remaining();
  return std::optional<Extent>{std::move(extent)};
}

// Enough for one extent, or all that is left.
Result<void> ExtentReader::fill(std::size_t level) {
  while (lists_[level].bytes.size() - lists_[level].at < kExtentRoom) {
    const auto extent = TRY(next_of(level + 1));
    if (!extent) return Ok{};
    if (!extent->chunk) return Error{Code::kCorrupt, "a list of chunks has a hole"};
    if (!names_) names_.emplace(access_);
    const ChunkData chunk = TRY(chunks_.get(*extent->chunk, ChunkType::kList, *names_));
    if (chunk.length != extent->length || chunk.length == 0)
      return Error{Code::kCorrupt, "a list of chunks has a part of another length"};
    List& list = lists_[level];
    list.bytes.erase(list.bytes.begin(), list.bytes.begin() + static_cast<std::ptrdiff_t>(list.at));
    list.at = 0;
    append(list.bytes, chunk.view());
  }
  return Ok{};
}

ContentReader::ContentReader(ChunkReader& chunks, const VaultAccess& access, Content content,
                             ChunkType type)
    : chunks_(chunks), names_(access), extents_(chunks, access, std::move(content)), type_(type) {}

void ContentReader::begin(Content content) {
  extents_.begin(std::move(content));
  ahead_.clear();
  end_ = std::nullopt;
}

void ContentReader::look_ahead() {
  while (!end_ && ahead_.size() < kAhead) {
    auto extent = extents_.next();
    if (!extent.ok()) {
      end_ = std::move(extent).error();
    } else if (!*extent) {
      end_ = Ok{};
    } else {
      // The first one is read at once.
      if ((*extent)->chunk && !ahead_.empty()) chunks_.will_need(*(*extent)->chunk);
      ahead_.push_back(std::move(**extent));
    }
  }
}

Result<std::optional<ContentSource::Piece>> ContentReader::next() {
  look_ahead();
  if (ahead_.empty()) {
    if (!end_->ok()) return end_->error();
    return std::optional<Piece>{};
  }
  const Extent extent = std::move(ahead_.front());
  ahead_.pop_front();
  if (!extent.chunk) return std::optional<Piece>{Piece{{}, extent.length}};
  current_ = TRY(chunks_.get(*extent.chunk, type_, names_));
  if (current_.length != extent.length)
    return Error{Code::kCorrupt, "a part of it has another length than its list of chunks says"};
  return std::optional<Piece>{Piece{current_.view(), 0}};
}

}  // namespace holdfast::archive
