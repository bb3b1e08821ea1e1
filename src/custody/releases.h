// What is given out, logged before it takes effect: the custodian's release batches.
//
// A release is asked for, stands in the next batch, and may be carried out once the log shows that
// batch. Batches are numbered and chained. The next one is made when the log has the one before, in
// one write with its nonces, and stays as it is: a kill at any point repeats it and skips none.
#pragma once

#include "api/custodian.h"
#include "sql/sqlite.h"
#include "tlog/batch.h"

namespace holdfast::custody {

struct BatchRow {
  std::uint64_t n = 0;
  Bytes leaf;
};

// What a batch has of one account.
struct Listed {
  tlog::BatchOpening opening;
  tlog::PositionProof position;
};

// A view of the custodian's memory. One thread at a time. kCorrupt: the memory is damaged.
class Releases {
 public:
  static const std::string kSchema;

  explicit Releases(sql::Database& database) : database_(database) {}

  Result<std::optional<BatchRow>> newest();
  Result<std::optional<BatchRow>> batch(std::uint64_t n);
  // The batch after `previous` (a leaf; empty: it is the first): every account that keeps a live
  // key, and what was asked for.
  Result<void> make(BytesView previous, std::uint8_t open_days, TimeMs now);
  // Of the newest batch, before anything of it was opened. Sorted.
  Result<std::vector<tlog::MapEntry>> positions(std::uint64_t n);

  // In which batch all of these stand; 0: in the next. They are of one instrument and recipient;
  // what was asked for that and is not among them is not listed any more.
  Result<std::uint64_t> ask(const CircleId& circle, const std::vector<tlog::Release>& wanted);
  // Of an account with releases in that batch.
  Result<std::optional<Listed>> listed(std::uint64_t n, const CircleId& circle);

  // Of batches up to `logged`, whose time has come.
  Result<api::DueOpenings> due(std::uint64_t logged, TimeMs now);
  // Empty lists are forgotten; the others are evidence.
  Result<void> opened(std::uint64_t n, const CircleId& last, TimeMs now);

 private:
  Result<std::vector<tlog::BatchEntry>> entries();
  Result<void> put_batch(std::uint64_t n, const tlog::Batch& batch,
                         const std::vector<tlog::BatchEntry>& entries, TimeMs open_ms);

  sql::Database& database_;
};

}  // namespace holdfast::custody
