// The service's database: one thread writes, through one connection that also checkpoints; all
// others only read. Writes that wait together become durable together (group commit).
//
// Debian 12's SQLite has the WAL-reset race (fixed in 3.51.3); one writer that alone checkpoints
// avoids it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sql/sqlite.h"

namespace holdfast::server {

class Writer {
 public:
  // Starts the thread. The tables are made by whoever owns them, with execute() in `schema`.
  static Result<std::unique_ptr<Writer>> open(const std::string& path, const std::string& schema);
  virtual ~Writer() = default;

  // Runs `work` on the writer's thread, in a savepoint of its own within a transaction that other
  // callers may share, and returns once it is durable. When `work` fails its changes are undone and
  // its error is returned. `work` must be quick and must not call write().
  using Work = std::function<Result<void>(sql::Database&)>;
  virtual Result<void> write(const Work& work) = 0;

  // Runs `work` on a connection that can only read (query_only), on the caller's thread. Sees every
  // write() that returned before.
  virtual Result<void> read(const Work& work) = 0;

  // Callers of write() whose turn has not come.
  virtual std::size_t waiting() = 0;
};

}  // namespace holdfast::server
