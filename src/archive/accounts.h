// Names of users and groups by id and back, each asked for once.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "base/bytes.h"

namespace holdfast::archive {

// For one thread.
class Accounts {
 public:
  const Bytes& user(std::uint32_t uid);  // empty: no such user
  const Bytes& group(std::uint32_t gid);
  std::optional<std::uint32_t> uid(const Bytes& user);
  std::optional<std::uint32_t> gid(const Bytes& group);

 private:
  std::unordered_map<std::uint32_t, Bytes> users_;
  std::unordered_map<std::uint32_t, Bytes> groups_;
  std::unordered_map<std::string, std::optional<std::uint32_t>> uids_;
  std::unordered_map<std::string, std::optional<std::uint32_t>> gids_;
};

}  // namespace holdfast::archive
