#include "archive/restore.h"

#include <sys/resource.h>

#include <algorithm>
#include <deque>
#include <thread>
#include <unordered_set>
#include <utility>

#include "base/queue.h"

namespace holdfast::archive {
namespace {

constexpr std::size_t kRestorers = 2;
// Jobs are given to the workers by batches: so many, or of so many bytes. Neighbours mostly lie in
// one directory and one frame, and two workers in the same ones wait for each other.
constexpr std::size_t kBatchJobs = 64;
// Each job holds a handle of its directory open: five batches, a third of what a process may have.
std::size_t jobs_in_batch() {
  struct rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 4;
  return std::clamp<std::size_t>(limit.rlim_cur / 15, 1, kBatchJobs);
}
constexpr std::uint64_t kBatchBytes = 1024 * 1024;
constexpr std::size_t kQueuedBatches = 2;
// What was written is on its way to the disk while more is written.
constexpr std::uint64_t kFlushBytes = 192 * 1024 * 1024;

void move_into(Findings& to, Findings from) {
  std::move(from.problems.begin(), from.problems.end(), std::back_inserter(to.problems));
  std::move(from.notes.begin(), from.notes.end(), std::back_inserter(to.notes));
}

// The entries to restore, in manifest order, their depths counted from the target.
class Selection {
 public:
  // The reader is at the beginning.
  Selection(EntryReader reader, const RestoreInput& input)
      : reader_(std::move(reader)), input_(input) {}

  Result<std::optional<Entry>> next();
  bool found() const { return input_.path.empty() || found_; }

 private:
  // What the restore takes of an entry; nullopt when it lies outside input_.path.
  std::optional<Entry> inside(Entry entry);
  void take(Entry entry);

  EntryReader reader_;
  const RestoreInput& input_;
  bool found_ = false;
  bool left_ = false;             // input_.path is over
  std::vector<Entry> ancestors_;  // directories above the entry that are not selected so far
  std::deque<Entry> ready_;
};

Result<std::optional<Entry>> Selection::next() {
  while (ready_.empty() && !left_) {
    auto entry = TRY(reader_.next());
    if (!entry) return std::optional<Entry>{};
    if (auto wanted = inside(std::move(*entry))) take(std::move(*wanted));
  }
  if (ready_.empty()) return std::optional<Entry>{};
  std::optional<Entry> first = std::move(ready_.front());
  ready_.pop_front();
  return first;
}

std::optional<Entry> Selection::inside(Entry entry) {
  const std::vector<Bytes>& path = reader_.path();
  const std::size_t above = input_.path.size();
  if (above == 0) return entry;
  const bool below =
      path.size() >= above && std::equal(input_.path.begin(), input_.path.end(), path.begin());
  left_ = !below && path > input_.path;
  if (!below) return std::nullopt;
  found_ = true;
  const auto shift = static_cast<std::uint32_t>(above);
  if (path.size() == above) {
    if (entry.kind == EntryKind::kDirectory) return std::nullopt;  // the target stands for it
    entry.depth = 0;
    return entry;
  }
  entry.depth -= shift;
  return entry;
}

void Selection::take(Entry entry) {
  while (!ancestors_.empty() && ancestors_.back().depth >= entry.depth) ancestors_.pop_back();
  const std::string path = path_text(reader_.path());
  const bool selected =
      input_.include.empty() || std::any_of(input_.include.begin(), input_.include.end(),
                                            [&](const Glob& glob) { return glob.matches(path); });
  if (!selected) {
    if (entry.kind == EntryKind::kDirectory) ancestors_.push_back(std::move(entry));
    return;
  }
  for (Entry& ancestor : ancestors_) ready_.push_back(std::move(ancestor));
  ancestors_.clear();
  ready_.push_back(std::move(entry));
}

class Restorer {
 public:
  Restorer(PackCache& cache, const VaultAccess& access, const Catalog& catalog,
           const Snapshot& snapshot, const RestoreInput& input, Target& target, Progress& progress)
      : access_(access),
        snapshot_(snapshot),
        input_(input),
        target_(target),
        progress_(progress),
        chunks_(cache, access, catalog, &progress) {
    chunks_.fetch_ahead();
  }

  Result<RestoreReport> run(Findings& findings);

 private:
  using Step = Result<void> (Restorer::*)(const Entry&, std::uint64_t);

  Result<void> each(Step step);
  Result<void> place_all();
  Result<void> place(const Entry& entry, std::uint64_t number);
  Result<void> link(const Entry& entry, std::uint64_t number);
  Result<void> finish(const Entry& entry, std::uint64_t number);
  void hand_out();
  void work();
  void run_job(PlaceJob& job, ContentReader& content);
  void flush();
  void problem(std::string path, const Error& error);
  void add(Findings some) HF_REQUIRES(mutex_) { move_into(findings_, std::move(some)); }

  const VaultAccess& access_;
  const Snapshot& snapshot_;
  const RestoreInput& input_;
  Target& target_;
  Progress& progress_;
  ChunkReader chunks_;
  BoundedQueue<std::vector<PlaceJob>> batches_{kQueuedBatches};
  std::vector<PlaceJob> batch_;  // that is being filled
  const std::size_t most_jobs_ = jobs_in_batch();
  std::uint64_t batch_bytes_ = 0;
  std::vector<Bytes> path_;                  // below the target, for messages
  std::unordered_set<std::uint64_t> later_;  // entries to link in the second pass
  bool damaged_ = false;                     // the manifest, at some place

  Mutex mutex_;
  RestoreReport report_ HF_GUARDED_BY(mutex_);
  Findings findings_ HF_GUARDED_BY(mutex_);
  Condition flush_now_;
  std::uint64_t unflushed_ HF_GUARDED_BY(mutex_) = 0;
  bool placed_ HF_GUARDED_BY(mutex_) = false;
  Result<void> flushed_ HF_GUARDED_BY(mutex_) = Ok{};
};

void Restorer::problem(std::string path, const Error& error) {
  const Lock lock(mutex_);
  findings_.problems.push_back({std::move(path), error.message, error.code == Code::kCorrupt});
}

// One pass over the entries, up to the end or to where the manifest is damaged.
Result<void> Restorer::each(Step step) {
  EntryReader reader = TRY(EntryReader::of(chunks_, access_, snapshot_));
  if (!input_.path.empty()) TRY(reader.seek(input_.path));
  Selection selection(std::move(reader), input_);
  path_.clear();
  for (std::uint64_t number = 0;; ++number) {
    auto entry = selection.next();
    if (!entry.ok()) {
      if (entry.error().code != Code::kCorrupt) return std::move(entry).error();
      if (!damaged_) problem("the rest of the snapshot", entry.error());
      damaged_ = true;
      return Ok{};
    }
    if (!*entry) break;
    path_.resize(std::min<std::size_t>(path_.size(), (*entry)->depth));
    path_.push_back((*entry)->name);
    TRY((this->*step)(**entry, number));
  }
  if (!selection.found())
    return Error{Code::kNotFound, "the snapshot has nothing at " + path_text(input_.path)};
  return Ok{};
}

Result<RestoreReport> Restorer::run(Findings& findings) {
  TRY(place_all());
  Findings last;
  if (!later_.empty()) {
    target_.begin_pass();
    TRY(each(&Restorer::link));
    TRY(target_.end_pass(last));
  }
  if (!input_.target.dry_run) {
    target_.begin_pass();
    TRY(each(&Restorer::finish));
    TRY(target_.end_pass(last));
    TRY(target_.sync());
  }
  const Lock lock(mutex_);
  TRY(std::move(flushed_));
  add(std::move(last));
  move_into(findings, std::move(findings_));
  return report_;
}

Result<void> Restorer::place_all() {
  target_.begin_pass();
  Result<void> done;
  const std::jthread flusher([this] { flush(); });
  {
    std::vector<std::jthread> workers;
    workers.reserve(kRestorers);
    for (std::size_t i = 0; i < kRestorers; ++i) workers.emplace_back([this] { work(); });
    done = each(&Restorer::place);
    hand_out();
    batches_.close();
  }
  Findings last;
  if (done.ok()) done = target_.end_pass(last);
  const Lock lock(mutex_);
  placed_ = true;
  flush_now_.notify_all();
  add(std::move(last));
  return done;
}

void Restorer::hand_out() {
  HF_CHECK(batches_.push(std::exchange(batch_, {})));
  batch_bytes_ = 0;
}

// The system tells an error of writing once, so it is kept for the end.
void Restorer::flush() {
  for (;;) {
    {
      const Lock lock(mutex_);
      while (!placed_ && unflushed_ < kFlushBytes) flush_now_.wait(mutex_);
      if (placed_) return;
      unflushed_ = 0;
    }
    auto done = target_.sync();
    const Lock lock(mutex_);
    if (!done.ok()) flushed_ = std::move(done);
  }
}

Result<void> Restorer::place(const Entry& entry, std::uint64_t number) {
  auto placed = target_.place(entry);
  if (!placed.ok()) {
    problem(path_text(path_), placed.error());
    return Ok{};
  }
  if (auto* job = std::get_if<PlaceJob>(&*placed)) {
    if (!entry.content.extents.empty() && entry.content.extents.front().chunk)
      chunks_.will_need(*entry.content.extents.front().chunk);
    batch_.push_back(std::move(*job));
    batch_bytes_ += entry.size;
    if (batch_.size() >= most_jobs_ || batch_bytes_ >= kBatchBytes) hand_out();
  } else if (std::holds_alternative<Later>(*placed)) {
    later_.insert(number);
  } else if (auto* skipped = std::get_if<Skipped>(&*placed)) {
    const Lock lock(mutex_);
    ++report_.skipped;
    findings_.notes.push_back({path_text(path_), std::move(skipped->reason)});
  }
  return Ok{};
}

void Restorer::work() {
  ContentReader content(chunks_, access_, {}, ChunkType::kData);
  while (auto batch = batches_.pop())
    for (PlaceJob& job : *batch) run_job(job, content);
}

void Restorer::run_job(PlaceJob& job, ContentReader& content) {
  const Entry& entry = job.entry();
  content.begin(entry.content);
  Findings own;
  const auto done = job.run(content, own);
  const bool file = entry.kind == EntryKind::kFile;
  if (done.ok() && file) {
    ++progress_.files;
    progress_.bytes += entry.size;
  }
  const Lock lock(mutex_);
  if (done.ok() && file) {
    ++report_.files;
    report_.bytes += entry.size;
    unflushed_ += entry.size;
    if (unflushed_ >= kFlushBytes) flush_now_.notify_all();
  }
  if (!done.ok())
    findings_.problems.push_back(
        {"/" + job.path(), done.error().message, done.error().code == Code::kCorrupt});
  add(std::move(own));
}

Result<void> Restorer::link(const Entry& entry, std::uint64_t number) {
  Findings own;
  const auto done = target_.link(entry, own);
  const Lock lock(mutex_);
  if (done.ok() && later_.contains(number) && entry.kind == EntryKind::kFile) {
    ++report_.files;
    report_.bytes += entry.size;
    ++progress_.files;
    progress_.bytes += entry.size;
  } else if (!done.ok()) {
    findings_.problems.push_back({path_text(path_), done.error().message});
  }
  add(std::move(own));
  return Ok{};
}

Result<void> Restorer::finish(const Entry& entry, std::uint64_t) {
  Findings own;
  const auto done = target_.finish(entry, own);
  const Lock lock(mutex_);
  if (!done.ok()) findings_.problems.push_back({path_text(path_), done.error().message});
  add(std::move(own));
  return Ok{};
}

}  // namespace

Result<RestoreReport> restore_tree(PackCache& cache, const VaultAccess& access,
                                   const Catalog& catalog, const Snapshot& snapshot,
                                   const RestoreInput& input, Progress& progress,
                                   Findings& findings) {
  auto target = TRY(Target::open(input.target));
  Restorer restorer(cache, access, catalog, snapshot, input, target, progress);
  return restorer.run(findings);
}

}  // namespace holdfast::archive
