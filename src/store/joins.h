// Messages of admissions that are under way.
#pragma once

#include <memory>
#include <string>

#include "api/doors.h"
#include "store/files.h"

namespace holdfast::store {

constexpr TimeMs kJoinLifeMs = 24 * 60 * 60 * 1000;  // then it may give way to another

// Holds no state of its own: safe from several threads and processes.
class Joins {
 public:
  Joins(std::shared_ptr<Files> files, const std::string& account);

  Result<void> put(const RequestId& request, api::JoinMessage which, BytesView message, TimeMs now);
  Result<Bytes> get(const RequestId& request, api::JoinMessage which);
  Result<std::vector<RequestId>> list();
  Result<void> drop(const RequestId& request);

 private:
  std::string path(const RequestId& request, api::JoinMessage which) const;
  Result<void> make_room(TimeMs now);
  Result<void> remove(const RequestId& request);

  const std::shared_ptr<Files> files_;
  const std::string folder_;
};

}  // namespace holdfast::store
