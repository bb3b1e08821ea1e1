#include "server/writer.h"

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace holdfast::server {
namespace {

constexpr std::size_t kMaxCallers = 4096;  // callers beyond wait until there is room
constexpr std::size_t kMaxBatch = 4096;    // works in one transaction
constexpr std::size_t kMaxReaders = 16;
constexpr int kPatience = 8;  // turns left to others before a small batch is committed
constexpr std::size_t kLogCheckEvery = 256;  // batches
constexpr off_t kMaxLogBytes = 64 * 1024 * 1024;

// Lies on the stack of a caller, who waits until it is done and then goes: `done` alone stays for
// the thread that wakes him.
struct Request {
  explicit Request(const Writer::Work& w) : work(w) {}
  const Writer::Work& work;
  Result<void> result = Ok{};
  Request* next = nullptr;
  std::shared_ptr<std::atomic<int>> done = std::make_shared<std::atomic<int>>(0);
};

class SqlWriter final : public Writer {
 public:
  SqlWriter(std::string path, sql::Database database)
      : path_(std::move(path)), database_(std::move(database)), thread_([this] { run(); }) {
    batch_.reserve(kMaxBatch);
  }
  ~SqlWriter() override {
    {
      const Lock lock(mutex_);
      ended_ = true;
      sleeping_ = false;
      come_.notify_one();
    }
    thread_.join();
  }

  Result<void> write(const Work& work) override {
    Request request(work);
    enqueue(request);
    request.done->wait(0, std::memory_order_acquire);
    return std::move(request.result);
  }

  Result<void> read(const Work& work) override {
    auto reader = TRY(take_reader());
    Result<void> done = work(*reader);
    give_back(std::move(reader));
    return done;
  }

  std::size_t waiting() override {
    const Lock lock(mutex_);
    return waiting_ + crowd_;
  }

 private:
  // ---- the queue ----

  void enqueue(Request& request) {
    const Lock lock(mutex_);
    while (waiting_ >= kMaxCallers) {
      ++crowd_;
      room_.wait(mutex_);
      --crowd_;
    }
    if (tail_ == nullptr) {
      head_ = &request;
    } else {
      tail_->next = &request;
    }
    tail_ = &request;
    ++waiting_;
    if (!sleeping_) return;
    sleeping_ = false;
    come_.notify_one();
  }

  Request* take_all() HF_REQUIRES(mutex_) {
    Request* const all = head_;
    head_ = tail_ = nullptr;
    waiting_ = 0;
    if (crowd_ > 0) room_.notify_all();
    return all;
  }

  // Null: none came, and none will.
  Request* wait_for_some() {
    const Lock lock(mutex_);
    while (head_ == nullptr && !ended_) {
      sleeping_ = true;
      come_.wait(mutex_);
    }
    return take_all();
  }

  Request* take_more() {
    const Lock lock(mutex_);
    return take_all();
  }

  // ---- the thread ----

  void run() {
    Request* left = nullptr;
    for (;;) {
      if (left == nullptr) left = wait_for_some();
      if (left == nullptr) return;
      left = commit(left);
      if (++batches_ % kLogCheckEvery == 0) bound_log();
    }
  }

  Result<void> step(const char* text) {
    sql::Statement statement = TRY(database_.prepare_cached(text));
    return statement.run();
  }

  // One transaction of these and of those that come meanwhile. Returns those it did not get to.
  Request* commit(Request* left) {
    batch_.clear();
    Result<void> outcome = step("BEGIN IMMEDIATE");
    if (outcome.ok()) {
      outcome = run_works(left);
    } else {
      for (; left != nullptr; left = left->next) batch_.push_back(left);
    }
    if (outcome.ok()) outcome = step("COMMIT");
    if (!outcome.ok() && database_.in_transaction()) static_cast<void>(step("ROLLBACK"));
    answer(outcome);
    return left;
  }

  // Callers that were answered together come again together, a little apart: a turn for them
  // saves a commit.
  Result<void> run_works(Request*& left) {
    for (int turn = 0;; ++turn) {
      while (left != nullptr && batch_.size() < kMaxBatch) {
        Request& request = *left;
        left = left->next;
        batch_.push_back(&request);
        TRY(run_work(request));
      }
      if (left != nullptr) return Ok{};
      left = take_more();
      if (left != nullptr) continue;
      if (turn >= kPatience || batch_.size() >= last_size_) return Ok{};
      std::this_thread::yield();
      left = take_more();
    }
  }

  // Fails when the whole transaction is lost.
  Result<void> run_work(Request& request) {
    TRY(step("SAVEPOINT work"));
    request.result = request.work(database_);
    if (!database_.in_transaction()) {
      if (!request.result.ok()) return request.result.error();
      return Error{Code::kUnavailable,
                   "cannot write " + path_ + ": the disk may be full or failing"};
    }
    if (!request.result.ok()) TRY(step("ROLLBACK TO work"));
    return step("RELEASE work");
  }

  void answer(const Result<void>& outcome) {
    last_size_ = batch_.size();
    for (Request* const request : batch_) {
      if (!outcome.ok() && request->result.ok()) request->result = outcome.error();
      const std::shared_ptr<std::atomic<int>> done = request->done;
      done->store(1, std::memory_order_release);
      done->notify_one();
    }
  }

  // Readers that follow one another closely can keep the log from being begun anew; then it is
  // waited for a moment without any.
  void bound_log() {
    struct stat info{};
    if (::stat((path_ + "-wal").c_str(), &info) != 0 || info.st_size < kMaxLogBytes) return;
    static_cast<void>(database_.execute("PRAGMA busy_timeout = 100"));
    static_cast<void>(database_.execute("PRAGMA wal_checkpoint(TRUNCATE)"));
    static_cast<void>(database_.execute("PRAGMA busy_timeout = 10000"));
  }

  // ---- readers ----

  Result<std::unique_ptr<sql::Database>> take_reader() {
    {
      const Lock lock(readers_mutex_);
      while (idle_.empty() && readers_ >= kMaxReaders) returned_.wait(readers_mutex_);
      if (!idle_.empty()) {
        auto reader = std::move(idle_.back());
        idle_.pop_back();
        return reader;
      }
      ++readers_;
    }
    auto opened = sql::Database::open_reader(path_);
    if (opened.ok()) return std::make_unique<sql::Database>(std::move(opened).value());
    give_back(nullptr);
    return std::move(opened).error();
  }

  // Null: it is gone.
  void give_back(std::unique_ptr<sql::Database> reader) {
    const Lock lock(readers_mutex_);
    if (reader == nullptr || reader->in_transaction()) {
      --readers_;
    } else {
      idle_.push_back(std::move(reader));
    }
    returned_.notify_one();
  }

  const std::string path_;
  sql::Database database_;  // of the thread, as are these
  std::vector<Request*> batch_;
  std::size_t last_size_ = 0;
  std::size_t batches_ = 0;

  Mutex mutex_;
  Condition come_;
  Condition room_;
  Request* head_ HF_GUARDED_BY(mutex_) = nullptr;
  Request* tail_ HF_GUARDED_BY(mutex_) = nullptr;
  std::size_t waiting_ HF_GUARDED_BY(mutex_) = 0;
  std::size_t crowd_ HF_GUARDED_BY(mutex_) = 0;
  bool sleeping_ HF_GUARDED_BY(mutex_) = false;
  bool ended_ HF_GUARDED_BY(mutex_) = false;

  Mutex readers_mutex_;
  Condition returned_;
  std::size_t readers_ HF_GUARDED_BY(readers_mutex_) = 0;  // idle or at work
  // They go before the writer's connection, so that it is the last and checkpoints.
  std::vector<std::unique_ptr<sql::Database>> idle_ HF_GUARDED_BY(readers_mutex_);

  std::thread thread_;  // last: it uses the others
};

}  // namespace

Result<std::unique_ptr<Writer>> Writer::open(const std::string& path, const std::string& schema) {
  auto database = TRY(sql::Database::open(path));
  TRY(
      database.execute("PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 16777216;"
                       "PRAGMA cache_size = -32768"));
  TRY(database.execute(schema));
  return std::unique_ptr<Writer>(std::make_unique<SqlWriter>(path, std::move(database)));
}

}  // namespace holdfast::server
