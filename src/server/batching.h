// Release batches on their way from the custodian into the log and to the accounts.
//
// In time, whether anything was released or not: when one comes says nothing. A kill at any point
// repeats: the custodian gives the same batch until the log has it, and the log takes it once.
#pragma once

#include "api/custodian.h"
#include "server/public_log.h"
#include "server/writer.h"

namespace holdfast::server {

// Used by one thread.
class Batching {
 public:
  static const std::string kSchema;

  Batching(Writer& writer, api::Custodian* custodian, TimeMs every_ms)
      : writer_(writer), custodian_(custodian), every_ms_(every_ms) {}

  // True: a batch went on its way into the log.
  Result<bool> step(PublicLog& log, TimeMs now);

 private:
  Result<void> open_due(PublicLog& log);
  Result<TimeMs> due_ms();

  Writer& writer_;
  api::Custodian* const custodian_;  // null: there is none
  const TimeMs every_ms_;
  TimeMs not_before_ = 0;
};

}  // namespace holdfast::server
