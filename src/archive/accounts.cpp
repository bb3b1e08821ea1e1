#include "archive/accounts.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

namespace holdfast::archive {
namespace {

// Calls get(buffer, size) of the getpwuid_r family until its buffer is large enough.
template <class Get>
void with_buffer(const Get& get) {
  std::vector<char> buffer(4096);
  while (get(buffer.data(), buffer.size()) == ERANGE && buffer.size() < (16U << 20))
    buffer.resize(buffer.size() * 2);
}

// No account has such a name; getpwnam would read it only up to the NUL.
bool can_be_name(const std::string& name) { return !name.empty() && name.find('\0') == name.npos; }

}  // namespace

const Bytes& Accounts::user(std::uint32_t uid) {
  const auto [at, fresh] = users_.try_emplace(uid);
  if (fresh)
    with_buffer([&](char* buffer, std::size_t size) {
      passwd entry{};
      passwd* found = nullptr;
      const int error = ::getpwuid_r(uid, &entry, buffer, size, &found);
      if (found != nullptr) at->second = to_bytes(as_bytes(found->pw_name));
      return error;
    });
  return at->second;
}

const Bytes& Accounts::group(std::uint32_t gid) {
  const auto [at, fresh] = groups_.try_emplace(gid);
  if (fresh)
    with_buffer([&](char* buffer, std::size_t size) {
      ::group entry{};
      ::group* found = nullptr;
      const int error = ::getgrgid_r(gid, &entry, buffer, size, &found);
      if (found != nullptr) at->second = to_bytes(as_bytes(found->gr_name));
      return error;
    });
  return at->second;
}

std::optional<std::uint32_t> Accounts::uid(const Bytes& user) {
  const std::string name(as_text(user));
  if (!can_be_name(name)) return std::nullopt;
  const auto [at, fresh] = uids_.try_emplace(name);
  if (fresh)
    with_buffer([&](char* buffer, std::size_t size) {
      passwd entry{};
      passwd* found = nullptr;
      const int error = ::getpwnam_r(name.c_str(), &entry, buffer, size, &found);
      if (found != nullptr) at->second = found->pw_uid;
      return error;
    });
  return at->second;
}

std::optional<std::uint32_t> Accounts::gid(const Bytes& group) {
  const std::string name(as_text(group));
  if (!can_be_name(name)) return std::nullopt;
  const auto [at, fresh] = gids_.try_emplace(name);
  if (fresh)
    with_buffer([&](char* buffer, std::size_t size) {
      ::group entry{};
      ::group* found = nullptr;
      const int error = ::getgrnam_r(name.c_str(), &entry, buffer, size, &found);
      if (found != nullptr) at->second = found->gr_gid;
      return error;
    });
  return at->second;
}

}  // namespace holdfast::archive
