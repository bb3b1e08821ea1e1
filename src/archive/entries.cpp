#include "archive/entries.h"

#include <algorithm>

namespace holdfast::archive {
namespace {

constexpr std::size_t kEntryRoom = 64 * 1024;  // most entries are shorter
constexpr std::uint64_t kEntryFields = 18;

bool valid_name(BytesView name) {
  const std::string_view text = as_text(name);
  return !text.empty() && text.size() <= 255 && text != "." && text != ".." &&
         text.find('/') == std::string_view::npos && text.find('\0') == std::string_view::npos;
}

bool valid_time(const FileTime& time) { return time.nanoseconds < 1'000'000'000; }

Error bad_list(std::string_view what) {
  return {Code::kCorrupt, "the list of files is damaged: " + std::string(what)};
}

// Passes over CBOR items (RFC 8949, section 3) that nobody asked for; whatever is given is decoded
// by wire, which is strict.
class Scanner {
 public:
  explicit Scanner(BytesView bytes) : bytes_(bytes) {}
  std::size_t at() const { return at_; }
  bool is_cut() const { return cut_; }  // the bytes end within an item

  // False here and below: cut, or nothing that an entry has.
  bool next() {
    if (at_ == bytes_.size()) return cut();
    const std::uint8_t first = bytes_[at_++];
    const unsigned info = first & 31;
    major = first >> 5;
    value = info;
    if (info < 24) return true;
    if (info > 27) return false;
    const std::size_t size = std::size_t{1} << (info - 24);
    if (size > bytes_.size() - at_) return cut();
    value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes_[at_++];
    return true;
  }
  bool next_of(unsigned wanted, std::uint64_t most) {
    return next() && major == wanted && value <= most;
  }
  bool take() {  // the bytes of a string whose head was next()
    if (value > bytes_.size() - at_) return cut();
    taken = bytes_.subspan(at_, static_cast<std::size_t>(value));
    at_ += taken.size();
    return true;
  }
  // So many items with all that is in them.
  bool pass(std::uint64_t items) {
    for (; items > 0; --items) {
      if (!next() || major == kTag || major == kMap) return false;
      if ((major == kBytes || major == kText) && !take()) return false;
      if (major != kArray) continue;
      if (value > bytes_.size() - at_) return cut();  // each item has a byte at least
      items += value;
    }
    return true;
  }

  static constexpr unsigned kNumber = 0, kBytes = 2, kText = 3, kArray = 4, kMap = 5, kTag = 6;
  unsigned major = 0;
  std::uint64_t value = 0;
  BytesView taken;

 private:
  bool cut() {
    cut_ = true;
    return false;
  }
  BytesView bytes_;
  std::size_t at_ = 0;
  bool cut_ = false;
};

}  // namespace

std::string path_text(const std::vector<Bytes>& path) {
  if (path.empty()) return "/";
  std::string text;
  for (const Bytes& name : path) {
    text += '/';
    text += as_text(name);
  }
  return text;
}

EntryReader::EntryReader(ChunkReader& chunks, const VaultAccess& access, Content tree)
    : chunks_(&chunks),
      access_(&access),
      tree_(std::move(tree)),
      names_(access),
      extents_(std::make_unique<ExtentReader>(chunks, access, tree_)) {}

Result<EntryReader> EntryReader::of(ChunkReader& chunks, const VaultAccess& access,
                                    const Snapshot& snapshot) {
  EntryReader reader(chunks, access, snapshot.tree);
  auto guide = Guide::read(chunks, access, snapshot);
  if (!guide.ok() && guide.error().code != Code::kCorrupt) return std::move(guide).error();
  if (guide.ok()) reader.guide_ = std::move(guide).value();
  return reader;
}

Result<std::optional<Entry>> EntryReader::next() { return give(nullptr); }

Result<std::optional<Entry>> EntryReader::next_of(const Wanted& wanted) { return give(&wanted); }

Result<std::optional<Entry>> EntryReader::give(const Wanted* wanted) {
  if (error_) return *error_;
  auto entry = decode_next(wanted);
  if (!entry.ok()) {
    entry = std::move(entry).error().in("the list of files after " + path_text(path_));
    error_ = entry.error();
  }
  return entry;
}

Result<std::optional<Entry>> EntryReader::decode_next(const Wanted* wanted) {
  for (;;) {
    const auto found = next_head();
    if (landing_ && !lands(found)) {
      start_again();
      continue;
    }
    const auto head = TRY(found);
    if (!head) return std::optional<Entry>{};
    TRY(enter(*head));
    const BytesView encoded = BytesView(bytes_).subspan(at_, head->size);
    entry_at_ = base_ + at_;
    size_ = head->size;
    at_ += size_;
    if (wanted != nullptr) set_text();
    if (is_before_target() || (wanted != nullptr && !(*wanted)(text_))) continue;
    target_.clear();
    auto entry = TRY(wire::decode<Entry>(encoded));
    if (entry.mode > 07777 || !valid_time(entry.mtime) || !valid_time(entry.ctime))
      return bad_list("an entry has impossible attributes");
    return std::optional<Entry>(std::move(entry));
  }
}

// Of the entry at the beginning of these bytes; nullopt: they end within it.
Result<std::optional<EntryReader::Head>> EntryReader::scan(BytesView bytes) {
  Scanner from(bytes);
  Head head;
  const auto fail = [&]() -> Result<std::optional<Head>> {
    if (from.is_cut()) return std::optional<Head>();
    return bad_list("an entry cannot be decoded");
  };
  if (!from.next_of(Scanner::kArray, kEntryFields) || from.value != kEntryFields) return fail();
  if (!from.next_of(Scanner::kNumber, UINT32_MAX)) return fail();
  head.depth = static_cast<std::uint32_t>(from.value);
  if (!from.next_of(Scanner::kBytes, kMaxEntry) || !from.take()) return fail();
  head.name = from.taken;
  if (!from.next_of(Scanner::kNumber, static_cast<std::uint64_t>(EntryKind::kLast))) return fail();
  head.kind = static_cast<EntryKind>(from.value);
  if (!from.pass(kEntryFields - 3)) return fail();
  head.size = from.at();
  return std::optional(head);
}

Result<std::optional<EntryReader::Head>> EntryReader::next_head() {
  std::size_t wanted = kEntryRoom;
  for (;;) {
    BytesView rest = BytesView(bytes_).subspan(at_);
    if (!rest.empty()) {
      rest = rest.first(std::min(rest.size(), kMaxEntry));
      const auto head = TRY(scan(rest));
      if (head) return head;
      if (ended_ || rest.size() == kMaxEntry) return bad_list("an entry has no end");
      wanted = std::max(wanted, 2 * rest.size());
    } else if (ended_) {
      return std::optional<Head>();
    }
    TRY(fill(wanted));
  }
}

Result<void> EntryReader::fill(std::size_t wanted) {
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(at_));
  base_ += std::exchange(at_, 0);
  size_ = 0;
  while (bytes_.size() < wanted) {
    const auto extent = TRY(extents_->next());
    if (!extent) {
      ended_ = true;
      return Ok{};
    }
    if (skip_ >= extent->length) {
      skip_ -= extent->length;
      continue;
    }
    if (!extent->chunk) return bad_list("it has a hole");
    const ChunkData chunk = TRY(chunks_->get(*extent->chunk, ChunkType::kManifest, names_));
    if (chunk.length != extent->length)
      return bad_list("a part of it has another length than its list of chunks says");
    append(bytes_, chunk.view().subspan(std::exchange(skip_, 0)));
  }
  return Ok{};
}

Result<void> EntryReader::enter(const Head& head) {
  if (head.depth > path_.size() || (head.depth == path_.size() && !in_directory_))
    return bad_list("an entry lies in no directory");
  if (!valid_name(head.name)) return bad_list("an entry has an impossible name");
  if (head.depth < path_.size() &&
      !std::ranges::lexicographical_compare(path_[head.depth], head.name))
    return bad_list("its entries are out of order");
  ends_.resize(std::min<std::size_t>(ends_.size(), head.depth));
  path_.resize(head.depth + 1);
  path_.back().assign(head.name.begin(), head.name.end());
  in_directory_ = head.kind == EntryKind::kDirectory;
  landing_.reset();
  return Ok{};
}

// The names of text_ that are still those of the path stay.
void EntryReader::set_text() {
  text_.resize(ends_.empty() ? 0 : ends_.back());
  for (std::size_t i = ends_.size(); i < path_.size(); ++i) {
    text_ += '/';
    text_ += as_text(path_[i]);
    ends_.push_back(text_.size());
  }
}

// ---- going on elsewhere ----

Result<void> EntryReader::seek(std::vector<Bytes> path) {
  if (error_) return *error_;
  const GuidePoint* const point = guide_.before(joined(path));
  target_ = std::move(path);
  if (point == nullptr || point->offset <= base_ + bytes_.size()) return Ok{};
  jump(*point);
  return Ok{};
}

Result<void> EntryReader::skip_inside() {
  if (path_.empty() || !in_directory_) return Ok{};
  std::vector<Bytes> beyond = path_;
  beyond.back().push_back(0);  // after all that is inside, before every other name
  return seek(std::move(beyond));
}

// What was read on the way is not looked at: the order is checked from there on.
void EntryReader::jump(const GuidePoint& point) {
  skip_ += point.offset - base_ - bytes_.size();
  base_ = point.offset;
  at_ = size_ = 0;
  bytes_.clear();
  path_.clear();
  ends_.clear();
  for (std::size_t from = 0; from <= point.path.size();) {
    const auto end = std::find(point.path.begin() + static_cast<std::ptrdiff_t>(from),
                               point.path.end(), std::uint8_t{0});
    path_.emplace_back(point.path.begin() + static_cast<std::ptrdiff_t>(from), end);
    from = static_cast<std::size_t>(end - point.path.begin()) + 1;
  }
  landing_ = std::move(path_.back());
  path_.pop_back();
  in_directory_ = true;
}

bool EntryReader::lands(const Result<std::optional<Head>>& found) const {
  if (!found.ok()) return found.error().code != Code::kCorrupt;  // the store's failure
  return *found && (*found)->depth == path_.size() && std::ranges::equal((*found)->name, *landing_);
}

// The guide lied: everything is read.
void EntryReader::start_again() {
  guide_ = {};
  landing_.reset();
  extents_ = std::make_unique<ExtentReader>(*chunks_, *access_, tree_);
  skip_ = 0;
  bytes_.clear();
  path_.clear();
  ends_.clear();
  base_ = at_ = size_ = 0;
  ended_ = false;
  in_directory_ = true;
}

// ---- reading ahead ----

ReadAhead::ReadAhead(ChunkReader& chunks, const VaultAccess& access, Content tree)
    : chunks_(chunks),
      access_(access),
      thread_([this, tree = std::move(tree)]() mutable { run(std::move(tree)); }) {}

ReadAhead::~ReadAhead() {
  stop_ = true;
  go_to(UINT64_MAX);
}

void ReadAhead::go_to(std::uint64_t step) {
  step_ = step;
  step_.notify_one();
}

void ReadAhead::run(Content tree) {
  ChunkNames names(access_);
  ExtentReader extents(chunks_, access_, std::move(tree));
  for (std::uint64_t at = 0;;) {
    const auto extent = extents.next();
    if (!extent.ok() || !*extent) return;
    for (std::uint64_t step = step_; step < UINT64_MAX - kSteps && at / kStep > step + kSteps;
         step = step_)
      step_.wait(step);
    if (stop_) return;
    at += (*extent)->length;
    if (at / kStep < step_ || !(*extent)->chunk) continue;
    if (!chunks_.get(*(*extent)->chunk, ChunkType::kManifest, names).ok()) return;
  }
}

}  // namespace holdfast::archive
