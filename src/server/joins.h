// Messages of admissions that wait at the service.
//
// Anyone may write here under any account's name, whether it exists or not: so a stranger learns
// nothing, and everything is bounded and short-lived.
#pragma once

#include "api/doors.h"
#include "server/writer.h"

namespace holdfast::server {

constexpr TimeMs kJoinLifeMs = 15 * 60 * 1000;
constexpr std::size_t kMaxAllJoins = 20'000;

// Holds no state of its own: safe from several threads.
class Joins {
 public:
  static const std::string kSchema;

  explicit Joins(Writer& writer, std::size_t limit = kMaxAllJoins)
      : writer_(writer), limit_(limit) {}

  // As api::Visitor::put_join. kNotFound: the request ended or expired.
  Result<void> put(const std::string& account, const RequestId& request, api::JoinMessage which,
                   BytesView message, TimeMs now);
  Result<Bytes> get(const std::string& account, const RequestId& request, api::JoinMessage which,
                    TimeMs now);
  Result<std::vector<RequestId>> list(const std::string& account, TimeMs now);
  Result<void> drop(const std::string& account, const RequestId& request);
  Result<void> drop_expired(TimeMs now);

 private:
  Writer& writer_;
  const std::size_t limit_;
};

}  // namespace holdfast::server
